//! Whom a client may connect to.
//!
//! A name is resolved once for each connection, and what was judged then is
//! what is connected to: nobody asks DNS again in between, so no later answer
//! of it can slip past (DNS rebinding). A host that is an address is never
//! resolved, and is judged before anything is sent.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::wire::address::is_public;

/// Whom a client may connect to.
#[derive(Debug, Clone)]
pub enum Reach {
    /// Public addresses, and these hosts wherever they are.
    Public {
        /// Hosts declared with `dangerous_private_network`.
        except: BTreeSet<String>,
    },
    /// Anywhere: AWS's own endpoints, which a VPC endpoint makes private.
    Anywhere,
}

/// A host that is not out on the internet, and was not declared to be elsewhere.
#[derive(Debug)]
pub(super) struct NotPublic;

impl fmt::Display for NotPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host leads to no public address")
    }
}

impl std::error::Error for NotPublic {}

impl Reach {
    /// Refuses a URL whose host is an address that may not be connected to.
    pub(super) fn admit(&self, url: &Url) -> Result<(), NotPublic> {
        let address: IpAddr = match url.host() {
            Some(Host::Ipv4(address)) => address.into(),
            Some(Host::Ipv6(address)) => address.into(),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        let trusted = self.trusts(url.host_str().unwrap_or_default());
        if trusted || is_public(address) { Ok(()) } else { Err(NotPublic) }
    }

    /// The addresses of a name that may be connected to: never none.
    fn judge(&self, name: &str, mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, NotPublic> {
        if !self.trusts(name) {
            found.retain(|address| is_public(address.ip()));
        }
        if found.is_empty() { Err(NotPublic) } else { Ok(found) }
    }

    /// Whether a host may be wherever it is.
    fn trusts(&self, host: &str) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public { except } => except.contains(host),
        }
    }
}

type Looking = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

/// Resolves a name, and lets through the addresses that may be reached.
pub(super) struct Resolver {
    reach: Reach,
    look_up: Arc<dyn Fn(String) -> Looking + Send + Sync>,
}

impl Resolver {
    /// One that asks the system.
    pub fn new(reach: Reach) -> Self {
        Self::asking(reach, |name| {
            Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
        })
    }

    fn asking(reach: Reach, look_up: impl Fn(String) -> Looking + Send + Sync + 'static) -> Self {
        Self { reach, look_up: Arc::new(look_up) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, look_up) = (self.reach.clone(), Arc::clone(&self.look_up));
        Box::pin(async move {
            let found = look_up(name.as_str().to_owned()).await?;
            let addresses: Addrs = Box::new(reach.judge(name.as_str(), found)?.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::client::{Roots, pool, tls};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const NAME: &str = "rebind.example";

    fn public(except: &[&str]) -> Reach {
        Reach::Public { except: except.iter().map(|host| (*host).to_owned()).collect() }
    }

    fn addresses(written: &[&str]) -> Vec<SocketAddr> {
        written.iter().map(|text| (text.parse::<IpAddr>().unwrap(), 0).into()).collect()
    }

    #[test]
    fn a_host_that_is_an_address_is_judged_however_it_is_spelt() {
        let check = |reach: &Reach, url: &str, fine: bool| {
            assert_eq!(reach.admit(&Url::parse(url).unwrap()).is_ok(), fine, "{url}");
        };
        for url in ["https://140.82.121.6", "https://[2606:4700:4700::1111]:8443/a", "https://localhost"] {
            check(&public(&[]), url, true);
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1.",
            "127.1",
            "2130706433",
            "017700000001",
            "0177.0.0.1",
            "0x7f000001",
            "0x7f.0.0.0x1",
            "0X7F.1",
            "%31%32%37.0.0.1",
            "①②⑦。０．0.1",
            "0",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "[::]",
            "[0:0:0:0:0:0:0:1]",
            "[::127.0.0.1]",
            "[::ffff:7f00:1]",
            "[0:0:0:0:0:FFFF:169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "[2002:a9fe:a9fe::1]",
            "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
            "[FD00:EC2::254]",
            "[fe80::1]",
        ] {
            check(&public(&[]), &format!("https://{host}/latest/meta-data"), false);
            check(&Reach::Anywhere, &format!("https://{host}"), true);
        }
        check(&public(&["127.0.0.1"]), "https://2130706433:8443/", true);
        check(&public(&["127.0.0.1"]), "https://127.0.0.2/", false);
        check(&public(&["[::1]"]), "https://[0::1]/", true);
    }

    #[test]
    fn what_a_name_leads_to_is_judged_address_by_address() {
        let check = |reach: &Reach, found: &[&str], expected: &[&str]| {
            let reachable = reach.judge(NAME, addresses(found)).unwrap_or_default();
            assert_eq!(reachable, addresses(expected), "{found:?}");
        };
        check(&public(&[]), &["140.82.121.6", "2606:4700::1"], &["140.82.121.6", "2606:4700::1"]);
        check(&public(&[]), &["10.0.0.1", "140.82.121.6", "::1"], &["140.82.121.6"]);
        check(&public(&[]), &["169.254.169.254", "fd00:ec2::254", "::ffff:10.0.0.1"], &[]);
        check(&public(&["other.example", "example"]), &["10.0.0.1"], &[]);
        check(&public(&[NAME]), &["10.0.0.1"], &["10.0.0.1"]);
        check(&Reach::Anywhere, &["10.0.0.1"], &["10.0.0.1"]);
    }

    /// A name whose addresses change with each question, and a server at one of them.
    async fn ask(reach: Reach, answers: &'static [&'static str]) -> (Result<String, String>, usize, usize) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (asked, connected) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (asking, connecting) = (Arc::clone(&asked), Arc::clone(&connected));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                connecting.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").await;
            }
        });
        let resolver = Resolver::asking(reach, move |_| {
            let answer = answers[asking.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)];
            Box::pin(async move { Ok(addresses(&[answer])) })
        });
        let client = pool(tls(&Roots::new(None).unwrap(), None).unwrap(), resolver).unwrap();
        let got = client.get(format!("http://{NAME}:{port}/")).send().await;
        let got = match got {
            Ok(answer) => Ok(answer.text().await.unwrap()),
            Err(error) => Err(format!("{error:?}")),
        };
        (got, asked.load(Ordering::SeqCst), connected.load(Ordering::SeqCst))
    }

    #[tokio::test]
    async fn what_was_judged_is_what_is_connected_to_and_nobody_asks_again() {
        // Asked a second time it would lead to where nothing listens.
        let rebound = ask(public(&[NAME]), &["127.0.0.1", "127.0.0.9"]).await;
        assert_eq!(rebound, (Ok("hi".to_owned()), 1, 1));
        let (refused, asked, connected) = ask(public(&[]), &["127.0.0.1"]).await;
        assert!(refused.unwrap_err().contains("NotPublic"));
        assert_eq!((asked, connected), (1, 0));
    }
}
