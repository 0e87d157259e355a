//! Connections that end, well or badly.

use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tritondeploy_client::v1::{Client, Error, Request};

use crate::server::{Seen, connected, server};
use crate::{object, told};

#[tokio::test]
async fn what_a_cut_connection_owes_is_asked_again_on_another() {
    let client = connected(|mut peer| async move {
        if peer.number == 0 {
            let answered = peer.request().await.unwrap();
            peer.answer(&answered).await;
            peer.request().await.unwrap();
            peer.request().await.unwrap();
        } else {
            peer.answer_all().await;
        }
    });
    let client = client.await;
    let (a, b, c) = tokio::join!(client.ask(object("a")), client.ask(object("b")), client.ask(object("c")));
    assert_eq!([told(a), told(b), told(c)], ["a", "b", "c"]);
}

#[tokio::test]
async fn a_request_is_sent_four_times_and_takes_no_other_with_it() {
    let seen = Seen::default();
    let counted = seen.clone();
    let url = server(move |mut peer| {
        let seen = counted.clone();
        async move {
            peer.greet(1).await;
            while let Some(request) = peer.request().await {
                if request.1 == "poison" {
                    seen.one();
                    return;
                }
                peer.answer(&request).await;
            }
        }
    });
    let client = Client::connect(&url.await).await.unwrap();
    let (poison, other) = tokio::join!(client.ask(object("poison")), client.ask(object("a")));
    assert!(matches!(poison, Err(Error::Lost { times: 4, .. })), "{poison:?}");
    assert_eq!(told(other), "a");
    assert_eq!(seen.count(), 4);
}

#[tokio::test]
async fn a_connection_that_ends_after_each_answer_loses_none() {
    let client = connected(|mut peer| async move {
        let request = peer.request().await.unwrap();
        peer.answer(&request).await;
    });
    let client = client.await;
    for i in 0..200 {
        assert_eq!(told(client.ask(object(&i.to_string())).await), i.to_string());
    }
}

#[tokio::test]
async fn a_server_that_greets_and_closes_is_given_up() {
    let seen = Seen::default();
    let counted = seen.clone();
    let client = connected(move |peer| {
        counted.one();
        async move { drop(peer) }
    });
    let client = client.await;
    let begun = Instant::now();
    let answer = client.ask(object("a")).await;
    assert!(matches!(answer, Err(Error::Lost { .. })), "{answer:?}");
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(300) && took < Duration::from_secs(30), "{took:?}");
    assert!(seen.count() <= 8, "{} connections", seen.count());
}

#[tokio::test]
async fn after_a_goaway_the_old_connection_answers_what_it_has_and_the_new_one_the_rest() {
    let client = connected(|mut peer| async move {
        if peer.number == 0 {
            let (a, b) = (peer.request().await.unwrap(), peer.request().await.unwrap());
            peer.say(json!({"type": "goaway", "reason": "the gateway stops"})).await;
            sleep(Duration::from_millis(100)).await;
            peer.answer(&(a.0, "old".to_owned())).await;
            // The other gets no answer: it was not run, and is safe to ask again.
            drop(b);
            sleep(Duration::from_millis(100)).await;
            peer.socket.close(None).await.unwrap();
        } else {
            while let Some((id, key)) = peer.request().await {
                peer.answer(&(id, format!("new {key}"))).await;
            }
        }
    });
    let client = client.await;
    let later = async {
        sleep(Duration::from_millis(50)).await;
        client.ask(object("c")).await
    };
    let (a, b, c) = tokio::join!(client.ask(object("a")), client.ask(object("b")), later);
    assert_eq!([told(a), told(b), told(c)], ["old", "new b", "new c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_just_as_the_gateway_says_goaway_does_not_wait_for_the_old_connection_s_end() {
    let client = connected(|mut peer| async move {
        if peer.number > 0 {
            return peer.answer_all().await;
        }
        let held = peer.request().await.unwrap();
        for _ in 0..500 {
            let request = peer.request().await.unwrap();
            peer.answer(&request).await;
        }
        peer.say(json!({"type": "goaway", "reason": "the gateway stops"})).await;
        while let Ok(Some(request)) = timeout(Duration::from_secs(12), peer.request()).await {
            peer.answer(&request).await;
        }
        peer.answer(&held).await;
    });
    let client = client.await;
    let held = tokio::spawn({
        let client = client.clone();
        async move { client.ask(object("held")).await }
    });
    sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    let asking = (0..100).map(|i| {
        let client = client.clone();
        tokio::spawn(async move {
            for j in 0..20 {
                assert_eq!(told(client.ask(object(&format!("{i} {j}"))).await), format!("{i} {j}"));
            }
        })
    });
    for asked in asking.collect::<Vec<_>>() {
        asked.await.unwrap();
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert_eq!(told(held.await.unwrap()), "held");
}

#[tokio::test]
async fn while_it_connects_deadlines_pass_and_what_is_given_up_is_not_sent() {
    const SILENT: Duration = Duration::from_secs(3);
    // Greets, cuts, then takes a connection without a word for a while.
    let url = server(|mut peer| async move {
        if peer.number == 0 {
            peer.greet(64).await;
            return;
        }
        sleep(SILENT).await;
        peer.greet(64).await;
        let request = peer.request().await.unwrap();
        peer.answer(&request).await;
        assert_eq!(peer.hear().await, None, "the others were never sent");
    });
    let client = Client::connect(&url.await).await.unwrap();
    sleep(Duration::from_millis(50)).await;
    let (begun, time) = (Instant::now(), Duration::from_millis(100));
    let (timed_out, dropped, kept) = tokio::join!(
        async { (client.ask(object("a").within(time)).await, begun.elapsed()) },
        async { (timeout(time, client.ask(object("b"))).await, begun.elapsed()) },
        client.ask(object("c")),
    );
    assert!(matches!(timed_out.0, Err(Error::TimedOut(_))), "{:?}", timed_out.0);
    assert!(timed_out.1 < SILENT && dropped.0.is_err() && dropped.1 < SILENT);
    assert_eq!(told(kept), "c");
}

#[tokio::test]
async fn garbage_is_told_once_and_the_next_request_goes_elsewhere() {
    for garbage in [
        Message::text("hello"),
        Message::text(r#"{"type":"result","id":1}"#),
        Message::text(r#"{"type":"news"}"#),
        Message::binary(&b"\xff\xff\xff\xff{}"[..]),
    ] {
        let seen = Seen::default();
        let (counted, said) = (seen.clone(), garbage.clone());
        let client = connected(move |mut peer| {
            let (seen, said) = (counted.clone(), said.clone());
            async move {
                while let Some(request) = peer.request().await {
                    match seen.one() {
                        0 => peer.socket.send(said.clone()).await.unwrap(),
                        _ => peer.answer(&request).await,
                    }
                }
            }
        });
        let client = client.await;
        let answer = client.ask(object("a")).await;
        assert!(matches!(answer, Err(Error::Protocol(_))), "{garbage:?}: {answer:?}");
        assert_eq!(told(client.ask(object("b")).await), "b");
        assert_eq!(seen.count(), 2);
    }
}

#[tokio::test]
async fn pings_are_answered_while_requests_run() {
    let client = connected(|mut peer| async move {
        let request = peer.request().await.unwrap();
        peer.socket.send(Message::Ping(Bytes::from_static(b"p"))).await.unwrap();
        assert_eq!(peer.socket.next().await.unwrap().unwrap(), Message::Pong(Bytes::from_static(b"p")));
        peer.answer(&request).await;
        peer.answer_all().await;
    });
    assert_eq!(told(client.await.ask(object("a")).await), "a");
}

#[tokio::test]
async fn small_requests_do_not_wait_behind_large_ones() {
    let client = connected(|mut peer| async move {
        let request = peer.request().await.unwrap();
        if request.1.is_empty() {
            // The image is read, and never answered.
            peer.hold().await;
        } else {
            peer.answer(&request).await;
            peer.answer_all().await;
        }
    });
    let client = client.await;
    let bulk = client.ask(Request::image(vec![0; 900_000]));
    let small = async {
        sleep(Duration::from_millis(50)).await;
        client.ask(object("a")).await
    };
    tokio::select! {
        answer = bulk => panic!("{answer:?}"),
        answer = small => assert_eq!(told(answer), "a"),
    }
}

#[tokio::test]
async fn a_dropped_client_says_goodbye() {
    let (gone, waits) = tokio::sync::oneshot::channel();
    let gone = std::sync::Mutex::new(Some(gone));
    let client = connected(move |mut peer| {
        let gone = gone.lock().unwrap().take();
        async move {
            let close = peer.socket.next().await;
            gone.unwrap().send(matches!(close, Some(Ok(Message::Close(_))))).unwrap();
        }
    });
    drop(client.await);
    assert!(timeout(Duration::from_secs(20), waits).await.unwrap().unwrap());
}
