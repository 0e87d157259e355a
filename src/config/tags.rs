//! `[tags]`: the user's own tags on all that takes tags. What AWS would refuse at one of its services is refused here.

use std::collections::{BTreeMap, BTreeSet};

/// Characters of a key (EC2 guide, "Tag restrictions"; the other services allow as many).
const KEY: usize = 128;
/// Characters of a value.
const VALUE: usize = 256;
/// Tags of one thing, those of AWS (`aws:`) aside.
const TAGS: usize = 50;
/// Of these, ours: deployment, region, resource and `Name`.
const OURS: usize = 4;
/// And those that EKS puts on a node, more than anybody else puts on anything: `eks:cluster-name`, `eks:nodegroup-name`,
/// `kubernetes.io/cluster/NAME` and two for the cluster autoscaler.
const OTHERS: usize = 5;

/// Key beginnings that AWS, Kubernetes or we give a meaning.
const RESERVED: [&str; 3] = ["aws:", "eks:", "tritondeploy:"];
/// The domains before the `/` of keys that Kubernetes and its controllers give a meaning.
const DOMAINS: [&str; 4] = ["kubernetes.io", "k8s.io", "k8s.aws", "k8s.amazonaws.com"];

/// Every problem found, each naming its key.
pub(super) fn problems(tags: &BTreeMap<String, String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut known = BTreeSet::new();
    for (key, value) in tags {
        let why = key_problem(key).or_else(|| value_problem(value)).or_else(|| {
            let twice = !known.insert(key.to_lowercase());
            twice.then(|| "is there twice; keys in IAM are case-insensitive".to_owned())
        });
        problems.extend(why.map(|why| format!("tags.{key:?}: {why}")));
    }
    let lists = lists(tags.keys()).len();
    let most = (TAGS - OURS - OTHERS).saturating_sub(lists);
    if tags.len() > most {
        let rest = format!("{OURS} are ours, {OTHERS} are EKS's on a node, and {lists} list the keys of yours");
        problems.push(format!("tags: {} tags; AWS allows {TAGS} on a thing, of which {rest}: at most {most} here", tags.len()));
    }
    problems
}

fn key_problem(key: &str) -> Option<String> {
    let lower = key.to_lowercase();
    let domain = lower.split_once('/').map(|(domain, _)| domain);
    let is_theirs = |own: &&&str| domain.is_some_and(|domain| domain == **own || domain.ends_with(&format!(".{own}")));
    if key.is_empty() {
        return Some("a key has at least one character".to_owned());
    }
    if lower == "name" {
        return Some("is set by tritondeploy, to DEPLOYMENT/NODE".to_owned());
    }
    if let Some(reserved) = RESERVED.iter().find(|reserved| lower.starts_with(**reserved)) {
        return Some(format!("keys that begin with {reserved} are reserved; choose another"));
    }
    if let Some(domain) = DOMAINS.iter().find(is_theirs) {
        return Some(format!("keys of {domain} are Kubernetes' own; choose another"));
    }
    text_problem("key", key, KEY)
}

fn value_problem(value: &str) -> Option<String> {
    if value.to_lowercase().starts_with("aws:") {
        return Some("values that begin with aws: are reserved (by EKS)".to_owned());
    }
    text_problem("value", value, VALUE)
}

/// The characters that every service takes (IAM API, "Tag": `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`), and how many.
fn text_problem(what: &str, text: &str, longest: usize) -> Option<String> {
    let allowed = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    let length = text.chars().count();
    if let Some(odd) = text.chars().find(|c| !allowed(*c)) {
        return Some(format!("the {what} has a {odd:?}; AWS allows letters, digits, spaces and _ . : / = + - @"));
    }
    if text.trim() != text {
        return Some(format!("the {what} begins or ends with a space"));
    }
    (length > longest).then(|| format!("the {what} has {length} characters; AWS allows {longest}"))
}

/// The keys as the values of tags, as few as they fit in: separated by spaces, which a key may have too.
pub(crate) fn lists<'a>(keys: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for key in keys {
        let word = key.replace('@', "@@").replace(' ', "@_").replace('=', "@-");
        match lists.last_mut() {
            Some(list) if list.chars().count() + 1 + word.chars().count() <= VALUE => {
                list.push(' ');
                list.push_str(&word);
            }
            _ => lists.push(word),
        }
    }
    lists
}

/// The keys of one such value.
pub(crate) fn listed(list: &str) -> impl Iterator<Item = String> {
    list.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let (mut key, mut chars) = (String::new(), word.chars());
        while let Some(c) = chars.next() {
            key.push(match (c, c == '@') {
                (_, true) => match chars.next() {
                    Some('_') => ' ',
                    Some('-') => '=',
                    other => other.unwrap_or('@'),
                },
                (c, false) => c,
            });
        }
        key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(tags: &[(&str, &str)]) -> String {
        problems(&tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()).join("\n")
    }

    #[test]
    fn what_all_services_take_is_taken() {
        let fine = [("CostCentre", "4711"), ("Größe + Zweck", "a=b_c.d:e/f+g-h@i j"), ("empty", ""), ("my:team/owner", "x")];
        assert_eq!(told(&fine), "");
        assert_eq!(told(&[(&"k".repeat(128), &"ü".repeat(256))]), "");
    }

    #[test]
    fn reserved_keys_are_refused_in_any_case_of_letters_and_named() {
        for key in [
            "aws:x",
            "AWS:x",
            "Aws:createdBy",
            "eks:cluster-name",
            "tritondeploy:deployment",
            "TritonDeploy:x",
            "Name",
            "NAME",
            "kubernetes.io/cluster/x",
            "Kubernetes.IO/role/elb",
            "k8s.io/cluster-autoscaler/enabled",
            "node.k8s.amazonaws.com/x",
            "elbv2.k8s.aws/cluster",
            "app.kubernetes.io/name",
        ] {
            let told = told(&[(key, "v")]);
            assert!(told.starts_with(&format!("tags.{key:?}: ")) && told.lines().count() == 1, "{key}: {told:?}");
        }
        for key in ["awsome", "Names", "example.com/kubernetes.io", "notkubernetes.io/x", "ekstra"] {
            assert_eq!(told(&[(key, "v")]), "");
        }
    }

    #[test]
    fn what_some_service_would_refuse_is_told_with_its_key() {
        let odd = |tags: &[(&str, &str)], words: &str| {
            let told = told(tags);
            assert!(told.contains(words), "no {words:?} in {told:?}");
        };
        odd(&[("", "v")], "tags.\"\": a key has at least one character");
        odd(&[(&"k".repeat(129), "v")], "the key has 129 characters; AWS allows 128");
        odd(&[("k", &"v".repeat(257))], "tags.\"k\": the value has 257 characters; AWS allows 256");
        odd(&[("a,b", "v")], "the key has a ','");
        odd(&[("k", "a\nb")], "tags.\"k\": the value has a '\\n'");
        odd(&[("k", "50%")], "the value has a '%'");
        odd(&[("k", "aws:x")], "values that begin with aws:");
        odd(&[(" k", "v")], "the key begins or ends with a space");
        odd(&[("k", "v ")], "tags.\"k\": the value begins or ends with a space");
        odd(&[("Owner", "v"), ("owner", "v")], "tags.\"owner\": is there twice");
    }

    #[test]
    fn more_tags_than_aws_has_room_for_are_refused() {
        let many = |count: usize, length: usize| {
            problems(&(0..count).map(|i| (format!("{i:0length$}"), String::new())).collect()).join("\n")
        };
        assert_eq!(many(40, 5), "");
        assert!(many(41, 5).starts_with("tags: 41 tags; AWS allows 50 on a thing") && many(41, 5).ends_with("at most 40 here"));
        assert_eq!(many(20, 128), "");
        assert!(many(21, 128).ends_with("and 21 list the keys of yours: at most 20 here"), "{}", many(21, 128));
        assert!(many(60, 128).contains("60 tags"));
    }

    #[test]
    fn a_list_of_keys_is_read_back_whatever_is_in_them() {
        let keys: Vec<String> = ["CostCentre", "a b", "a=b", "@", "@_", "x@ =", "ü"].map(str::to_owned).to_vec();
        let one = lists(&keys);
        assert!(one.len() == 1 && one[0].starts_with("CostCentre a@_b") && !one[0].contains('='), "{one:?}");
        assert_eq!(listed(&one[0]).collect::<Vec<_>>(), keys);
        let long: Vec<String> = (0..20).map(|i| format!("{i}").repeat(128).chars().take(128).collect()).collect();
        let several = lists(&long);
        assert!(several.iter().all(|list| list.chars().count() <= 256));
        assert_eq!(several.iter().flat_map(|list| listed(list)).collect::<Vec<_>>(), long);
        assert!(lists(&[" ".repeat(128)])[0].len() <= 256);
        assert_eq!((lists(&[]).len(), listed("").count()), (0, 0));
    }
}
