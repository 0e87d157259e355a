//! Requests that the gateway refuses, cancels or does not understand.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tritondeploy_client::v1::{Code, Error, Request};

use crate::server::{Seen, connected};
use crate::{object, refused, told};

#[tokio::test]
async fn each_gets_its_own_answer_in_any_order_and_answers_to_nobody_are_ignored() {
    let client = connected(|mut peer| async move {
        let mut requests = Vec::new();
        while requests.len() < 3 {
            requests.push(peer.request().await.unwrap());
        }
        peer.answer(&(9_999, "nobody".to_owned())).await;
        peer.refuse(Some(9_998), "internal").await;
        for request in requests.iter().rev() {
            peer.answer(request).await;
            // A second terminal message is one too many.
            peer.answer(&(request.0, "again".to_owned())).await;
        }
        peer.answer_all().await;
    });
    let client = client.await;
    let (a, b, c) = tokio::join!(client.ask(object("a")), client.ask(object("b")), client.ask(object("c")));
    assert_eq!([told(a), told(b), told(c)], ["a", "b", "c"]);
    assert_eq!(told(client.ask(object("d")).await), "d");
}

#[tokio::test]
async fn draining_moves_on_to_another_connection() {
    let client = connected(|mut peer| async move {
        if peer.number == 0 {
            let (id, _) = peer.request().await.unwrap();
            peer.refuse(Some(id), "draining").await;
            assert_eq!(peer.hear().await, None, "nothing more is asked here, and it is closed");
        } else {
            peer.answer_all().await;
        }
    });
    assert_eq!(told(client.await.ask(object("a").once()).await), "a");
}

#[tokio::test]
async fn a_gateway_that_only_drains_is_not_stormed() {
    let seen = Seen::default();
    let counted = seen.clone();
    let client = connected(move |mut peer| {
        let seen = counted.clone();
        async move {
            while let Some((id, _)) = peer.request().await {
                seen.one();
                peer.refuse(Some(id), "draining").await;
            }
        }
    });
    let client = client.await;
    assert_eq!(refused(client.ask(object("a").once()).await), Code::Draining);
    assert_eq!(seen.count(), 4);
    let answer = client.ask(object("a").within(Duration::from_secs(1))).await;
    assert!(matches!(answer, Err(Error::Refused(_) | Error::TimedOut(_))), "{answer:?}");
    let tries = seen.count() - 4;
    assert!((1..=8).contains(&tries), "{tries} tries within a second");
}

#[tokio::test]
async fn beyond_the_window_it_is_asked_again_after_a_pause() {
    let seen = Seen::default();
    let counted = seen.clone();
    let client = connected(move |mut peer| {
        let seen = counted.clone();
        async move {
            while let Some(request) = peer.request().await {
                match seen.one() {
                    3 => peer.answer(&request).await,
                    _ => peer.refuse(Some(request.0), "flow_control").await,
                }
            }
        }
    });
    let client = client.await;
    let begun = Instant::now();
    assert_eq!(told(client.ask(object("a").once()).await), "a");
    assert!(begun.elapsed() >= Duration::from_millis(5 + 10 + 20), "three pauses took {:?}", begun.elapsed());
    assert_eq!(seen.count(), 4);
    assert_eq!(refused(client.ask(object("a").within(Duration::from_millis(700))).await), Code::FlowControl);
    assert!(seen.count() - 4 <= 9, "{} tries within 700 ms", seen.count() - 4);
}

#[tokio::test]
async fn beyond_the_window_after_a_goaway_another_connection_is_asked() {
    let client = connected(|mut peer| async move {
        if peer.number == 0 {
            let (id, _) = peer.request().await.unwrap();
            peer.say(serde_json::json!({"type": "goaway", "reason": "r"})).await;
            peer.refuse(Some(id), "flow_control").await;
            peer.hold().await;
        } else {
            peer.answer_all().await;
        }
    });
    let begun = Instant::now();
    assert_eq!(told(client.await.ask(object("a")).await), "a");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_error_without_an_id_is_told_to_the_request_it_means_and_to_no_other() {
    let seen = Seen::default();
    let counted = seen.clone();
    let client = connected(move |mut peer| {
        let seen = counted.clone();
        async move {
            let mut requests = Vec::new();
            while requests.len() < 4 {
                let request = peer.request().await.unwrap();
                seen.one();
                if request.1 == "odd" {
                    peer.refuse(None, "bad_request").await;
                }
                requests.push(request);
            }
            for request in requests.iter().filter(|request| request.1 != "odd") {
                sleep(Duration::from_millis(20)).await;
                peer.answer(request).await;
            }
            peer.answer_all().await;
        }
    });
    let client = client.await;
    let all = ["a", "odd", "b", "c"].map(|key| client.ask(object(key)));
    let [a, odd, b, c]: [_; 4] = futures::future::join_all(all).await.try_into().unwrap();
    assert_eq!([told(a), told(b), told(c)], ["a", "b", "c"]);
    assert_eq!(refused(odd), Code::BadRequest);
    assert_eq!(seen.count(), 4, "nothing was asked twice");
    assert_eq!(told(client.ask(object("d")).await), "d");
}

#[tokio::test]
async fn a_code_that_is_not_known_is_taken_by_its_word_on_trying_again() {
    let seen = Seen::default();
    let counted = seen.clone();
    let client = connected(move |mut peer| {
        let seen = counted.clone();
        async move {
            while let Some((id, key)) = peer.request().await {
                seen.one();
                let retryable = key == "again";
                peer.say(serde_json::json!({"type": "error", "id": id, "code": "new", "message": "m", "retryable": retryable}))
                    .await;
            }
        }
    });
    let client = client.await;
    assert_eq!(refused(client.ask(object("a")).await), Code::Other);
    assert_eq!(seen.count(), 1);
    assert_eq!(refused(client.ask(object("again").within(Duration::from_millis(500))).await), Code::Other);
    assert!(seen.count() > 2);
}

#[tokio::test]
async fn a_future_that_is_dropped_cancels_and_its_place_in_the_window_is_free_again() {
    let url = crate::server::server(|mut peer| async move {
        peer.greet(1).await;
        let (id, _) = peer.request().await.unwrap();
        let cancel = peer.hear().await.unwrap();
        assert_eq!((&cancel["type"], &cancel["id"]), (&"cancel".into(), &id.into()));
        // Not before the gateway says so.
        sleep(Duration::from_millis(100)).await;
        peer.say(serde_json::json!({"type": "cancelled", "id": id, "reason": "asked"})).await;
        peer.answer_all().await;
    });
    let client = tritondeploy_client::v1::Client::connect(&url.await).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(500), client.ask(object("a"))).await.is_err());
    let begun = Instant::now();
    assert_eq!(told(client.ask(object("b")).await), "b");
    assert!(begun.elapsed() >= Duration::from_millis(50), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn what_the_gateway_cancels_by_itself_is_an_error() {
    let client = connected(|mut peer| async move {
        let (id, _) = peer.request().await.unwrap();
        peer.say(serde_json::json!({"type": "cancelled", "id": id, "reason": "asked"})).await;
        peer.answer_all().await;
    });
    let client = client.await;
    assert!(matches!(client.ask(object("a")).await, Err(Error::Protocol(why)) if why.contains("cancelled")));
    assert_eq!(told(client.ask(object("b")).await), "b");
}

#[tokio::test]
async fn a_server_that_never_answers_is_left_at_the_deadline() {
    let seen = Seen::default();
    let counted = seen.clone();
    let client = connected(move |mut peer| {
        let seen = counted.clone();
        async move {
            while let Some(message) = peer.hear().await {
                if message["type"] == "cancel" {
                    seen.one();
                }
            }
        }
    });
    let client = client.await;
    let (time, begun) = (Duration::from_millis(200), Instant::now());
    assert!(matches!(client.ask(object("a").within(time)).await, Err(Error::TimedOut(said)) if said == time));
    assert!((time..time + Duration::from_secs(10)).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    let told = async {
        while seen.count() == 0 {
            sleep(Duration::from_millis(5)).await
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("it is cancelled");
    assert_eq!(seen.count(), 1, "it is cancelled once");
}

#[tokio::test]
async fn what_is_over_the_gateway_s_limit_is_refused_without_being_sent() {
    let seen = Seen::default();
    let counted = seen.clone();
    let client = connected(move |peer| {
        counted.one();
        peer.answer_all()
    });
    let client = client.await;
    assert_eq!(refused(client.ask(Request::image(vec![0; 2_000_000])).await), Code::TooLarge);
    // A text as long as this would end the connection, and all else on it.
    assert_eq!(refused(client.ask(Request::object("k".repeat(66_000))).await), Code::TooLarge);
    assert!(client.ask(Request::image(vec![0; 1_900_000])).await.is_ok());
    assert_eq!(seen.count(), 2, "one for what is small, one for what is large");
}
