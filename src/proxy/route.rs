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
pub struct Routes(Vec<Place>);

/// One path of ours, with what may be done there.
pub struct Place {
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
    /// Collects routes; those that share a path share a place.
    pub fn new(routes: impl IntoIterator<Item = (Pattern, Route)>) -> Self {
        let mut places: Vec<Place> = Vec::new();
        for (pattern, route) in routes {
            match places.iter_mut().find(|place| place.pattern == pattern) {
                Some(place) => place.routes.push(route),
                None => places.push(Place { pattern, routes: vec![route] }),
            }
        }
        places.sort_by_key(|place| place.pattern.rank());
        Self(places)
    }

    /// Every route.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().flat_map(|place| &place.routes)
    }

    /// Refuses a path with an encoded slash where no route keeps it.
    pub fn check_slashes(&self, path: &Path<'_>) -> Result<(), Problem> {
        let keeps = |(place, _): (&Place, _)| place.routes.iter().all(|route| route.keeps_encoded_slash);
        let fine = !path.has_encoded_slash() || self.place(path).is_some_and(keeps);
        if fine { Ok(()) } else { Err(path::encoded_slash()) }
    }

    /// The place with this path, whatever the method.
    pub fn place<'r: 'p, 'p>(&'r self, path: &'p Path<'_>) -> Option<(&'r Place, Params<'p>)> {
        self.0.iter().find_map(|place| Some((place, place.pattern.fit(path)?)))
    }

    /// The route that a method and a path mean: 404 and 405 are said here.
    pub fn find<'r: 'p, 'p>(&'r self, method: &Method, path: &'p Path<'_>) -> Result<Found<'r, 'p>, Problem> {
        let Some((place, params)) = self.place(path) else {
            return Err(Problem::new(Kind::RouteNotFound, "no route has this path"));
        };
        let route = place.route(method).ok_or_else(|| place.method_not_allowed())?;
        Ok(Found { route, params })
    }
}

impl Place {
    /// The route for a method. Its own route wins over `ANY`, and a route
    /// that serves GET serves HEAD too (RFC 9110 §9.3.2).
    pub fn route(&self, method: &Method) -> Option<&Route> {
        let named = |route: &&Route| !route.any && route.methods.contains(method);
        let any = |route: &&Route| route.any && route.methods.contains(method);
        let own = self.routes.iter().find(named).or_else(|| self.routes.iter().find(any));
        own.or_else(|| if *method == Method::HEAD { self.route(&Method::GET) } else { None })
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
