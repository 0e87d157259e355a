use super::{Place, weights};

#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_under_models_stays_and_is_named() {
    let place = Place::new().await;
    // As somebody did it before: `aws s3 sync models s3://BUCKET/models`.
    place.put("models/m/1/model.onnx", "theirs").await;
    place.put("models/m/config.pbtxt", "their configuration").await;
    let first = place.release(&place.models(&[("m", "first", "c1"), ("n", "n", "c1")])).await.unwrap();
    // The configuration lies where the release wants a readable copy: it is neither its own nor overwritten.
    assert_eq!(first.strangers.as_ref().map(|strangers| strangers.count), Some(1), "{first:?}");
    assert_eq!(place.get("models/m/config.pbtxt").await, "their configuration");

    // Copies of ours, made by hand, carry our metadata with them.
    let bucket = place.cloud.bucket();
    let copies = [
        ("models/m/2/model.onnx", "models/m/7/model.onnx"),
        ("models/m/2/model.onnx", "models/backup/m/2/model.onnx"),
        ("models/n/config.pbtxt", "models/later/config.pbtxt"),
        ("models/n/labels.txt", "models/n/labels.bak"),
    ];
    for (from, to) in copies {
        let call = place.cloud.aws.s3.copy_object().bucket(&bucket).key(to).copy_source(format!("{bucket}/{from}"));
        call.send().await.unwrap();
    }
    for i in 0..9 {
        place.put(&format!("models/notes/{i}.md"), "a note").await;
    }
    let second = place.models(&[("m", "second", "c2"), ("later", "l", "c2")]);
    let second = place.release(&second).await.unwrap();
    let strangers = second.strangers.clone().expect("strangers");
    assert_eq!((strangers.count, strangers.first.len()), (13, 5), "{strangers:?}");
    assert!(strangers.to_string().ends_with(" and 8 more"), "{strangers}");
    let third = place.release(&place.models(&[("m", "third", "c3")])).await.unwrap();
    assert_eq!(third.not_cleaned_up, None);
    assert_eq!(place.published().await, weights("m", "third"));
    for (_, to) in copies {
        assert!(["first", "c1", "cat"].contains(&place.get(to).await.as_str()), "{to}");
    }
    assert_eq!(place.get("models/m/1/model.onnx").await, "theirs");
    assert_eq!(place.get("models/m/config.pbtxt").await, "their configuration");
    assert!(place.keys().await.contains("models/m/9/model.onnx"), "the versions that somebody else has are taken");
    let nothing = place.release(&place.models(&[("m", "third", "c3")])).await.unwrap();
    assert_eq!(nothing.strangers.map(|strangers| strangers.count), Some(14));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_puts_where_a_release_is_about_to_write_is_neither_used_nor_deleted() {
    let place = Place::new().await;
    place.release(&place.models(&[("m", "first", "c1")])).await.unwrap();
    // The draft is written, and names version 2.
    place.hold(1, "after", "s3:PutObject");
    let work = place.releasing(&place.models(&[("m", "second", "c2")]));
    assert!(place.held(&work).await);
    place.put("models/m/2/model.onnx", "theirs").await;
    place.local.ask("POST", "release");
    let report = work.await.unwrap().unwrap();
    assert!(report.published, "{report:?}");
    assert_eq!(place.published().await, weights("m", "second"));
    assert_eq!(place.get("models/m/2/model.onnx").await, "theirs");

    // The same, and it is killed then: the next release knows the draft, and that the object is not the draft's.
    place.hold(1, "after", "s3:PutObject");
    let work = place.releasing(&place.models(&[("m", "third", "c3")]));
    assert!(place.held(&work).await);
    place.put("models/m/4/model.onnx", "theirs too").await;
    work.abort();
    let _ = work.await;
    place.local.ask("POST", "release");
    place.release(&place.models(&[("m", "fourth", "c4")])).await.unwrap();
    assert_eq!(place.get("models/m/4/model.onnx").await, "theirs too");
    assert_eq!(place.published().await, weights("m", "fourth"));
}
