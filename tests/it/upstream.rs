//! The third-party API: a server on the loopback that remembers what it saw,
//! and one that breaks the rules of HTTP byte by byte.

use std::convert::Infallible;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request as the upstream saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    /// Path and query, byte by byte.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub version: Version,
}

impl Seen {
    /// All values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<String> {
        let values = self.headers.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect()
    }

    /// The path, still encoded.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    /// The query as a form decoder reads it.
    pub fn query(&self) -> Vec<(String, String)> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }
}

/// An answer of the upstream: `say(200).with("etag", "1").body("hi")`.
#[derive(Debug, Clone)]
pub struct Say {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
}

pub fn say(status: u16) -> Say {
    Say { status, headers: Vec::new(), body: Bytes::new() }
}

impl Say {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        for (name, value) in &self.headers {
            let value = http::HeaderValue::from_bytes(value.as_bytes()).unwrap();
            response.headers_mut().append(name.parse::<http::HeaderName>().unwrap(), value);
        }
        response
    }
}

/// Says what to answer.
pub type Script = Arc<dyn Fn(&Seen) -> Say + Send + Sync>;

/// A well-behaved server that remembers.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    script: Script,
}

impl Upstream {
    pub async fn start(script: Script) -> Self {
        let (upstream, listener) = Self::bind(script).await;
        let server = upstream.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                server.count();
                tokio::spawn(server.clone().serve(stream));
            }
        });
        upstream
    }

    /// A server that somebody else accepts connections for.
    pub async fn bind(script: Script) -> (Self, TcpListener) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (Self { address, seen: Arc::default(), connections: Arc::default(), script }, listener)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn count(&self) {
        self.connections.fetch_add(1, Ordering::SeqCst);
    }

    pub async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(move |request| self.clone().answer(request));
        drop(auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await);
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let seen = Seen {
            method: parts.method,
            target: parts.uri.path_and_query().map_or_else(String::new, ToString::to_string),
            headers: parts.headers,
            body: body.collect().await.map_or_else(|_| Bytes::new(), |body| body.to_bytes()),
            version: parts.version,
        };
        let said = (self.script)(&seen);
        self.seen.lock().unwrap().push(seen);
        Ok(said.response())
    }
}

/// What a server that misbehaves does with a connection once it has read a request.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Writes this and closes.
    Close(Vec<u8>),
    /// Writes this and waits for ever.
    Hang(Vec<u8>),
    /// Writes this and resets the connection.
    Reset(Vec<u8>),
}

/// A server that does one deed a connection, the last one again and again.
pub struct Misbehaving {
    pub address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Misbehaving {
    pub async fn start(deeds: Vec<Deed>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let deed = deeds[count.load(Ordering::SeqCst).min(deeds.len() - 1)].clone();
                tokio::spawn(misbehave(stream, deed, Arc::clone(&count)));
            }
        });
        Self { address, requests }
    }

    /// How many requests came.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

async fn misbehave(mut stream: TcpStream, deed: Deed, count: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match stream.read_buf(&mut head).await {
            Ok(read) if 0 < read => {}
            _ => return,
        }
    }
    count.fetch_add(1, Ordering::SeqCst);
    let (Deed::Close(bytes) | Deed::Hang(bytes) | Deed::Reset(bytes)) = &deed;
    stream.write_all(bytes).await.unwrap();
    match deed {
        Deed::Close(_) => drop(stream.shutdown().await),
        Deed::Hang(_) => pending().await,
        Deed::Reset(_) => {
            // What was written should arrive before the reset overtakes it.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            stream.set_zero_linger().unwrap();
        }
    }
}
