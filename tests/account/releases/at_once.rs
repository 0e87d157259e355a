use super::{Place, weights};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_releases_of_the_same_base_the_later_one_is_refused_and_all_that_is_published_is_there() {
    let place = Place::new().await;
    place.release(&place.models(&[("m", "first", "c1")])).await.unwrap();

    // Both of its weights and its configuration are up, and it has not been published yet.
    place.hold(3, "after", "s3:PutObject");
    let later = place.releasing(&place.models(&[("m", "later", "c2")]));
    assert!(place.held(&later).await);
    let sooner = place.release(&place.models(&[("m", "sooner", "c3")])).await.unwrap();
    assert!(sooner.published, "{sooner:?}");
    place.local.ask("POST", "release");

    let later = later.await.unwrap().unwrap();
    assert_eq!((later.published, later.superseded.clone()), (false, Some(vec!["m".to_owned()])), "{later:?}");
    let why = later.accepted().unwrap_err().to_string();
    assert!(why.contains("another release was published meanwhile (it differs in m)"), "{why}");
    assert_eq!(place.published().await, weights("m", "sooner"));
    assert_eq!(place.beside().await, [].into(), "what was uploaded for the refused one is still there");

    let again = place.release(&place.models(&[("m", "later", "c2")])).await.unwrap();
    assert!(again.published, "{again:?}");
    assert_eq!(place.published().await, weights("m", "later"));
    assert_eq!(place.beside().await, [].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_first_releases_one_is_published() {
    let place = Place::new().await;
    place.hold(4, "after", "s3:PutObject");
    let later = place.releasing(&place.models(&[("m", "later", "c2")]));
    assert!(place.held(&later).await);
    place.release(&place.models(&[("m", "sooner", "c1")])).await.unwrap();
    place.local.ask("POST", "release");
    let later = later.await.unwrap().unwrap();
    assert!(later.superseded.is_some(), "{later:?}");
    assert_eq!(place.published().await, weights("m", "sooner"));
    assert_eq!(place.beside().await, [].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_releases_of_the_same_models_are_both_right() {
    let place = Place::new().await;
    let models = place.models(&[("m", "first", "c1")]);
    place.hold(4, "after", "s3:PutObject");
    let later = place.releasing(&models);
    assert!(place.held(&later).await);
    place.release(&models).await.unwrap();
    place.local.ask("POST", "release");
    let later = later.await.unwrap().unwrap();
    assert!(later.published && later.accepted().is_ok(), "{later:?}");
    assert_eq!(place.published().await, weights("m", "first"));
    assert_eq!(place.beside().await, [].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clean_up_that_comes_late_takes_nothing_that_the_next_release_has_made_again() {
    let place = Place::new().await;
    let first = place.models(&[("m", "first", "c1")]);
    place.release(&first).await.unwrap();

    // It is published; the first one's files are still there, and the next release goes back to their content.
    place.hold(1, "before", "s3:DeleteObjects");
    let second = place.releasing(&place.models(&[("m", "second", "c2")]));
    assert!(place.held(&second).await);
    let back = place.release(&first).await.unwrap();
    assert!(back.published, "{back:?}");
    place.local.ask("POST", "release");

    assert!(second.await.unwrap().unwrap().published);
    assert_eq!(place.published().await, weights("m", "first"));
    assert_eq!(place.beside().await, [].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_releases_at_once_one_is_published_and_the_others_say_so() {
    let place = Place::new().await;
    place.release(&place.models(&[("m", "first", "c"), ("n", "first", "c")])).await.unwrap();
    for round in 0..4 {
        let of = |i: u32| (format!("weights {round} {i}"), format!("configuration {round} {i}"));
        let models = |i: u32| {
            let (weights, config) = of(i);
            place.models(&[("m", &weights, &config), ("n", &weights, "c")])
        };
        let all: Vec<_> = (0..4).map(|i| place.releasing(&models(i))).collect();
        let mut published = Vec::new();
        for (i, one) in (0..4).zip(all) {
            let report = one.await.unwrap().unwrap();
            assert_eq!(report.published, report.accepted().is_ok(), "{report:?}");
            published.extend(report.published.then(|| of(i).0));
        }
        // A release that begins when another one has been published takes its place: the last one counts.
        let served = place.published().await;
        assert!(published.contains(&served["m"]) && served["m"] == served["n"], "{served:?} {published:?}");
    }
    place.release(&place.models(&[("m", "last", "c")])).await.unwrap();
    assert_eq!(place.beside().await, [].into());
}
