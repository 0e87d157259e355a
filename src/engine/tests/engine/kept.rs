//! Which of several just alike is kept, when that changes while a walk goes.

use tritondeploy_engine::{Action, Event};

use crate::spec::Spec;
use crate::{cloud, names, told, until, virtually, walk};

#[test]
fn no_twin_goes_where_another_one_is_kept_than_that_which_all_else_was_made_from() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless(), Spec::new().with(|s| s.making = 100)]);
        let ids = [(); 3].map(|()| cloud.put(0, &[], &[], 0));
        let meanwhile = async {
            until(|| !cloud.state().mutations.is_empty()).await;
            // Now most hangs from the third.
            cloud.put_in(1, vec![ids[2]], vec![], 0);
        };
        let (told, ()) = tokio::join!(told(walk(&cloud), async |walk| walk.up().await), meanwhile);
        let (outcome, events) = told;
        assert_eq!(cloud.state().mutations, ["create object-1"], "{outcome:?}");
        let [first, second, _] = ids.map(|id| format!("object-0 ({id})"));
        assert_eq!(names(&outcome.unshown), [first.as_str(), second.as_str()]);
        let line = format!("{second} is left, a twin: another one is kept now than before; run `up` again");
        assert!(events.iter().any(|event| matches!(event, Event::Said { line: said, .. } if *said == line)), "{events:?}");
    });
}

#[test]
fn what_is_in_a_twin_stays_where_another_one_is_kept_since_the_first_act() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless().with(|s| s.patience = 100), Spec::new().within([0]), Spec::new().within([1])]);
        let ids = [(); 3].map(|()| cloud.put(0, &[], &[], 0));
        for root in &ids[..2] {
            let inner = cloud.put_in(1, vec![*root], vec![], 0);
            cloud.put_in(2, vec![inner], vec![], 0);
        }
        let meanwhile = async {
            until(|| !cloud.state().mutations.is_empty()).await;
            (0..5).for_each(|_| _ = cloud.put_in(1, vec![ids[2]], vec![], 0));
        };
        let up = walk(&cloud);
        let (outcome, ()) = tokio::join!(up.up(), meanwhile);
        let mutations = cloud.state().mutations.clone();
        assert!(mutations[0] == "delete object-2" && !mutations.contains(&"delete object-1".to_owned()), "{outcome:?}");
    });
}

#[test]
fn what_is_in_a_twin_and_goes_by_itself_is_waited_for_as_a_deletion() {
    virtually(1, async {
        let cloud = cloud(vec![Spec::nameless(), Spec::new().within([0])]);
        let [kept, twin] = [(); 2].map(|()| cloud.put(0, &[], &[], 0));
        cloud.put_in(1, vec![kept], vec![], 0);
        let inner = cloud.put_in(1, vec![twin], vec![], 0);
        let ends = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        cloud.state().things.iter_mut().filter(|thing| thing.id == inner).for_each(|thing| thing.ends = Some(ends));
        let (outcome, events) = told(walk(&cloud), async |walk| walk.up().await).await;
        assert!(outcome.ok() && cloud.count() == [1, 1], "{outcome:?}");
        let is_told = |event: &Event| match event {
            Event::Waiting { node, action, why, .. } => {
                (&**node, *action, why.as_str()) == ("object-1 (in object-0 2)", Action::Delete, "deleting")
            }
            _ => false,
        };
        assert!(events.iter().any(is_told), "{events:?}");
    });
}
