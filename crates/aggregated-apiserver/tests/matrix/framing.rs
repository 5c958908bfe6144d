//! Requests that are not what they seem on the wire. Written by hand, byte by byte.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time,
};
use tokio_rustls::client::TlsStream;

use crate::support::{
    client::{self, PATIENCE, Protocol},
    pki::Identity,
    world::{RESOURCE, World, front_proxy},
};

async fn raw(world: &World, identity: Option<&Identity>) -> TlsStream<TcpStream> {
    client::tls(world.address, client::config(identity, Protocol::Http1)).await.unwrap()
}

/// Sends bytes and reads until the server ends the connection.
async fn talk(world: &World, identity: Option<&Identity>, bytes: &str) -> String {
    let mut stream = raw(world, identity).await;
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // An end without a farewell is an end too.
    let _ = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end in time");
    String::from_utf8_lossy(&answer).into_owned()
}

fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

cases! {
    async fn header_names_in_any_letters_are_the_same() {
        let world = World::start().await;
        let request = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-REMOTE-user: ada\r\nx-ReMoTe-GrOuP: a\r\nX-Remote-Group: b\r\nConnection: close\r\n\r\n");
        let answer = talk(&world, Some(&front_proxy()), &request).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains(r#""groups":["a","b","system:authenticated"]"#), "{answer}");
    }

    async fn smuggling_by_length_and_chunks_reaches_nobody() {
        let world = World::start().await;
        let hidden = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: admin\r\n\r\n");
        for order in ["Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 5"] {
            let request = format!("POST {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\n{order}\r\n\r\n0\r\n\r\n{hidden}");
            let answer = talk(&world, Some(&front_proxy()), &request).await;
            assert_eq!(answers(&answer), 1, "the connection ends after the first: {answer}");
            assert!(!answer.contains("admin"), "{answer}");
        }
    }

    async fn smuggling_by_two_lengths_is_refused() {
        let world = World::start().await;
        let request = format!("POST {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\nGET {RESOURCE} HTTP/1.1\r\n\r\n");
        let answer = talk(&world, Some(&front_proxy()), &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert_eq!((answers(&answer), world.seen()), (1, 0));
    }

    async fn smuggling_by_a_disguised_encoding_is_refused() {
        let world = World::start().await;
        for encoding in ["xchunked", "chunked, identity", "identity"] {
            let request = format!("POST {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\nTransfer-Encoding: {encoding}\r\n\r\n0\r\n\r\n");
            let answer = talk(&world, Some(&front_proxy()), &request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{encoding}: {answer}");
        }
        assert_eq!(world.seen(), 0);
    }

    async fn blank_before_the_colon_is_refused() {
        let world = World::start().await;
        let request = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User : ada\r\n\r\n");
        let answer = talk(&world, Some(&front_proxy()), &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }

    async fn folded_header_is_refused() {
        let world = World::start().await;
        let request = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\n X-Remote-Group: system:masters\r\n\r\n");
        let answer = talk(&world, Some(&front_proxy()), &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }

    async fn negative_and_huge_lengths_are_refused() {
        let world = World::start().await;
        for length in ["-1", "+1", "99999999999999999999999", "1e3", ""] {
            let request = format!("POST {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\nContent-Length: {length}\r\n\r\n");
            let answer = talk(&world, Some(&front_proxy()), &request).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{length}: {answer}");
        }
    }

    async fn pipelined_requests_are_judged_one_by_one() {
        let world = World::start().await;
        let ada = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\n\r\n");
        let mallory = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: mallory\r\nConnection: close\r\n\r\n");
        let answer = talk(&world, Some(&front_proxy()), &format!("{ada}{mallory}")).await;
        assert_eq!(answers(&answer), 2, "{answer}");
        assert!(answer.contains("HTTP/1.1 200 ") && answer.contains("HTTP/1.1 403 "), "{answer}");
        assert_eq!(world.seen(), 1);
    }

    async fn identity_of_one_request_does_not_stick_to_the_connection() {
        let world = World::start().await;
        let ada = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: ada\r\n\r\n");
        let nobody = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = talk(&world, Some(&front_proxy()), &format!("{ada}{nobody}")).await;
        assert!(answer.contains("HTTP/1.1 200 ") && answer.contains("HTTP/1.1 401 "), "{answer}");
    }

    async fn hop_by_hop_trick_does_not_take_identity_away() {
        let world = World::start().await;
        let request = format!("GET {RESOURCE} HTTP/1.1\r\nHost: x\r\nX-Remote-User: mallory\r\nConnection: close, X-Remote-User\r\n\r\n");
        let answer = talk(&world, Some(&front_proxy()), &request).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }

    async fn whole_address_in_the_request_line_is_judged_by_its_path() {
        let world = World::start().await;
        let request = "GET https://elsewhere/healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert!(talk(&world, None, request).await.starts_with("HTTP/1.1 200 "));
        let request = "GET https://healthz/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert!(talk(&world, None, request).await.starts_with("HTTP/1.1 403 "));
    }

    async fn nonsense_instead_of_http_is_refused() {
        let world = World::start().await;
        for nonsense in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "* * *\r\n\r\n"] {
            let answer = talk(&world, None, nonsense).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{nonsense:?}: {answer}");
        }
        assert_eq!(world.seen(), 0);
    }

    async fn plain_http_on_the_tls_port_is_refused() {
        let world = World::start().await;
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an end in time");
        assert!(!String::from_utf8_lossy(&answer).contains("HTTP/"));
    }
}
