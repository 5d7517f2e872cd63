//! Writes a document, so that `read` finds the same in it.

use serde_json::Value;

use super::read;

/// What is written: names in an order of its own.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    /// A value.
    Value(Value),
    /// Names, and what stands under them.
    Map(Vec<(String, Self)>),
}

/// The text of a document.
pub(crate) fn write(tree: &Tree) -> String {
    let mut text = String::new();
    match tree {
        Tree::Map(fields) if !fields.is_empty() => map(&mut text, fields, 0),
        tree => {
            inline(&mut text, tree);
            text.push('\n');
        }
    }
    text
}

fn map(text: &mut String, fields: &[(String, Tree)], depth: usize) {
    for (name, tree) in fields {
        indent(text, depth);
        text.push_str(&scalar(name));
        text.push(':');
        under(text, tree, depth);
    }
}

/// What stands behind a name and its colon.
fn under(text: &mut String, tree: &Tree, depth: usize) {
    match tree {
        Tree::Map(fields) if !fields.is_empty() => {
            text.push('\n');
            map(text, fields, depth + 1);
        }
        Tree::Value(Value::Object(fields)) if !is_short(tree) => {
            text.push('\n');
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| (name.clone(), Tree::Value(value.clone())))
                .collect();
            map(text, &fields, depth + 1);
        }
        Tree::Value(Value::Array(items)) if !is_short(tree) => {
            text.push('\n');
            for item in items {
                indent(text, depth + 1);
                text.push_str("- ");
                flow(text, item);
                text.push('\n');
            }
        }
        Tree::Value(Value::String(value)) if is_block(value) => {
            text.push_str(" |\n");
            for line in value.lines() {
                indent(text, depth + 1);
                text.push_str(line);
                text.push('\n');
            }
        }
        tree => {
            text.push(' ');
            inline(text, tree);
            text.push('\n');
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    text.extend(std::iter::repeat_n("  ", depth));
}

/// Whether it stands well in one line.
fn is_short(tree: &Tree) -> bool {
    let mut text = String::new();
    inline(&mut text, tree);
    text.len() <= 72
}

/// Whether a text of many lines can stand as it is.
fn is_block(text: &str) -> bool {
    let plain = text
        .chars()
        .all(|letter| letter == '\n' || (' '..='~').contains(&letter));
    // Its first line says how far it is indented, and one line feed ends it.
    let whole = text.ends_with('\n') && !text.ends_with("\n\n") && text.len() > 1;
    plain
        && whole
        && !text.starts_with([' ', '\n'])
        && !text.lines().any(|line| line.ends_with(' '))
}

fn inline(text: &mut String, tree: &Tree) {
    match tree {
        Tree::Value(value) => flow(text, value),
        Tree::Map(_) => text.push_str("{}"),
    }
}

fn flow(text: &mut String, value: &Value) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                flow(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                text.push_str(&scalar(name));
                text.push_str(": ");
                flow(text, value);
            }
            text.push('}');
        }
        Value::String(value) => text.push_str(&scalar(value)),
        other => text.push_str(&other.to_string()),
    }
}

/// A text without quotation marks if it is read as the same text then, also between brackets.
fn scalar(text: &str) -> String {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "_./-@+".contains(letter);
    let simple = !text.is_empty()
        && text.chars().all(|letter| harmless(letter) || letter == ':')
        && text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/')
        && !text.ends_with(':');
    let same = simple && read(text).is_ok_and(|node| node.value() == text);
    if same {
        text.to_owned()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_written_as_people_would() {
        let tree = Tree::Map(vec![
            ("version".to_owned(), Tree::Value(json!(1))),
            (
                "vpcs".to_owned(),
                Tree::Map(vec![
                    (
                        "prod".to_owned(),
                        Tree::Map(vec![(
                            "ipv4".to_owned(),
                            Tree::Value(json!(["10.0.0.0/16"])),
                        )]),
                    ),
                    ("empty".to_owned(), Tree::Map(Vec::new())),
                ]),
            ),
            ("rack".to_owned(), Tree::Value(json!("01"))),
            (
                "user_data".to_owned(),
                Tree::Value(json!("#cloud-config\nruncmd: []\n")),
            ),
            ("words".to_owned(), Tree::Value(json!("a: b"))),
        ]);
        assert_eq!(
            write(&tree),
            "version: 1\n\
             vpcs:\n\
             \u{20} prod:\n\
             \u{20}   ipv4: [10.0.0.0/16]\n\
             \u{20} empty: {}\n\
             rack: \"01\"\n\
             user_data: |\n\
             \u{20} #cloud-config\n\
             \u{20} runcmd: []\n\
             words: \"a: b\"\n"
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            "[ -~\n\t]{0,12}".prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
            "[a-z0-9.:/-]{1,20}".prop_map(Value::from),
            "([a-z#:' -]{0,9}\n){1,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[ -~]{0,8}", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(value in value()) {
            let text = write(&Tree::Map(vec![("a".to_owned(), Tree::Value(value.clone()))]));
            let read = read(&text);
            prop_assert!(read.is_ok(), "{read:?} of\n{text}");
            prop_assert_eq!(read.unwrap().value(), json!({ "a": value }), "{}", text);
        }
    }
}
