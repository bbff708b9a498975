//! Stage 2: finds the route that a request means, or says that there is none.
//!
//! An exact segment wins over `{name}`, that over `{name+}`; then the path
//! decides before the method, so that a path with another method is 405 and
//! never a wider route.

use http::{HeaderValue, Method, header};

use super::Route;
use super::path::{self, Path};
use super::pattern::{METHODS, Params, Pattern};
use crate::wire::Problem;
use crate::wire::problem::Kind;

/// All routes, the most exact path first.
pub struct Routes(Vec<Resource>);

/// One path of ours, with what may be done there.
pub struct Resource {
    pattern: Pattern,
    routes: Vec<Route>,
}

/// A route that fits, with the values of its parameters.
pub struct Found<'r, 'p> {
    /// The route.
    pub route: &'r Route,
    /// The values that the path had for the route's parameters.
    pub params: Params<'p>,
}

impl Routes {
    /// Collects routes; those that share a path share a resource.
    pub fn new(routes: impl IntoIterator<Item = (Pattern, Route)>) -> Self {
        let mut resources: Vec<Resource> = Vec::new();
        for (pattern, route) in routes {
            match resources.iter_mut().find(|resource| resource.pattern == pattern) {
                Some(resource) => resource.routes.push(route),
                None => resources.push(Resource { pattern, routes: vec![route] }),
            }
        }
        resources.sort_by_key(|resource| resource.pattern.rank());
        Self(resources)
    }

    /// Every route.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().flat_map(|resource| &resource.routes)
    }

    /// Every route, with the path that it has with us.
    pub(super) fn placed(&self) -> impl Iterator<Item = (&Pattern, &Route)> {
        self.0.iter().flat_map(|resource| resource.routes.iter().map(|route| (&resource.pattern, route)))
    }

    /// Refuses a path with an encoded slash where no route keeps it.
    pub fn check_slashes(&self, path: &Path<'_>) -> Result<(), Problem> {
        let keeps =
            |(resource, _): (&Resource, _)| resource.routes.iter().all(|route| route.keeps_encoded_slash);
        let fine = !path.has_encoded_slash() || self.resource(path).is_some_and(keeps);
        if fine { Ok(()) } else { Err(path::encoded_slash()) }
    }

    /// The resource with this path, whatever the method.
    pub fn resource<'r: 'p, 'p>(&'r self, path: &'p Path<'_>) -> Option<(&'r Resource, Params<'p>)> {
        self.0.iter().find_map(|resource| Some((resource, resource.pattern.fit(path)?)))
    }

    /// The route that a method and a path mean: 404 and 405 are said here.
    pub fn find<'r: 'p, 'p>(&'r self, method: &Method, path: &'p Path<'_>) -> Result<Found<'r, 'p>, Problem> {
        let Some((resource, params)) = self.resource(path) else {
            return Err(Problem::new(Kind::RouteNotFound, "no route has this path"));
        };
        let route = resource.route(method).ok_or_else(|| resource.method_not_allowed())?;
        Ok(Found { route, params })
    }
}

impl Resource {
    /// The route for a method. A route with the method's own name wins over
    /// `ANY`, and one that serves GET serves HEAD too (RFC 9110 §9.3.2): what
    /// HEAD describes is what GET would get.
    pub fn route(&self, method: &Method) -> Option<&Route> {
        let head = (*method == Method::HEAD).then_some(&Method::GET);
        let find = |any: bool, method: &Method| {
            self.routes.iter().find(|route| route.any == any && route.methods.contains(method))
        };
        let asked = || std::iter::once(method).chain(head);
        asked()
            .find_map(|method| find(false, method))
            .or_else(|| asked().find_map(|method| find(true, method)))
    }

    /// The methods that may be used here, in the usual order.
    pub fn methods(&self) -> String {
        let served: Vec<&str> =
            METHODS.iter().filter(|method| self.route(method).is_some()).map(Method::as_str).collect();
        served.join(", ")
    }

    fn method_not_allowed(&self) -> Problem {
        let methods = self.methods();
        let allow = HeaderValue::try_from(&methods).unwrap_or(HeaderValue::from_static(""));
        Problem::new(Kind::MethodNotAllowed, format!("this path takes {methods}")).with(header::ALLOW, allow)
    }

    /// Any of its routes.
    pub fn first(&self) -> Option<&Route> {
        self.routes.first()
    }
}
