use super::{Place, weights};

/// Kills a release at its nth call, before that is applied or before it is answered. False: it made fewer.
async fn killed(place: &Place, models: &tritondeploy::models::Repository, nth: usize, when: &str) -> bool {
    place.hold(nth, when, "");
    let work = place.releasing(models);
    let held = place.held(&work).await;
    work.abort();
    let ended = work.await;
    assert_eq!(held, ended.is_err_and(|error| error.is_cancelled()), "it ended before it was killed");
    place.local.ask("POST", "release");
    held
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_killed_at_any_call_leaves_a_whole_one_and_the_next_one_takes_what_it_left() {
    let place = Place::new().await;
    let old = place.models(&[("m", "old", "c1"), ("gone", "x", "c1")]);
    for when in ["before", "after"] {
        let mut kills = 0;
        loop {
            place.release(&old).await.unwrap();
            let new = place.models(&[("m", "new", "c2"), ("more", "y", "c1")]);
            let held = killed(&place, &new, kills + 1, when).await;
            let served = place.published().await;
            assert!(served["m"] == "old" || served["m"] == "new", "{served:?} after a kill {when} call {}", kills + 1);
            // The old files are put back, and pushed again.
            let report = place.release(&old).await.unwrap();
            assert!(report.published && report.accepted().is_ok(), "{report:?}");
            assert_eq!(place.published().await["m"], "old");
            let clean = place.release(&place.models(&[("m", "other", "c3")])).await.unwrap();
            assert_eq!((clean.not_cleaned_up, clean.strangers), (None, None));
            assert_eq!(place.published().await, weights("m", "other"));
            assert_eq!(place.beside().await, [].into(), "after a kill {when} call {}", kills + 1);
            if !held {
                break;
            }
            kills += 1;
        }
        assert!(kills >= 10, "only {kills} calls");
    }
}
