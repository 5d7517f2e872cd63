//! What the commands know of a kind of object: all that is particular to one stands in its row.

use rackweave_api::control::BASE;
use rackweave_api::http::segment;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::form::{Form, plain};

/// A kind of object.
#[derive(Debug)]
pub(crate) struct Kind {
    /// As the API and its messages name it.
    pub(crate) name: &'static str,
    /// What many of it are called, in paths.
    pub(crate) plural: &'static str,
    /// The command, behind `rackweave` or `rackweave fleet`.
    pub(crate) command: &'static str,
    /// Whom the command is for.
    pub(crate) whose: Whose,
    /// The kind that it belongs to.
    pub(crate) parent: Option<&'static Self>,
    /// What it is, in a line.
    pub(crate) about: &'static str,
    /// What can be done with it.
    pub(crate) verbs: &'static [Verb],
    /// What can be asked for.
    pub(crate) fields: &'static [Field],
    /// What a list shows behind the name: heads, and where the values stand in the object.
    pub(crate) columns: &'static [Column],
    /// A command that makes one.
    pub(crate) example: &'static str,
    /// Whether a spec is of the kind's form.
    pub(crate) check: fn(&Value) -> Result<(), Misfit>,
}

/// Whom a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Users: `rackweave KIND`.
    Users,
    /// Operators: `rackweave fleet KIND`.
    Operators,
}

/// What can be done with objects of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Lists those of a parent.
    List,
    /// Shows one.
    Show,
    /// Makes one.
    Create,
    /// Changes what is asked of one.
    Update,
    /// Removes one.
    Delete,
}

impl Verb {
    /// All of them.
    pub(crate) const ALL: &'static [Self] = &[
        Self::List,
        Self::Show,
        Self::Create,
        Self::Update,
        Self::Delete,
    ];

    /// The command's word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Show => "show",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// What can be asked for, as an option of the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    /// The option.
    pub(crate) flag: &'static str,
    /// Where it stands in the spec: names with dots between them.
    pub(crate) at: &'static str,
    /// Its form.
    pub(crate) form: Form,
    /// Whether there may be many.
    pub(crate) many: bool,
    /// Whether a new object needs it.
    pub(crate) required: bool,
    /// What it is.
    pub(crate) about: &'static str,
}

impl Field {
    /// A field that may be left out.
    pub(crate) const fn new(flag: &'static str, form: Form, about: &'static str) -> Self {
        Self {
            flag,
            at: flag,
            form,
            many: false,
            required: false,
            about,
        }
    }

    /// Where it stands in the spec, if not under the option's name.
    pub(crate) const fn at(self, at: &'static str) -> Self {
        Self { at, ..self }
    }

    /// There may be many.
    pub(crate) const fn many(self) -> Self {
        Self { many: true, ..self }
    }

    /// A new object needs it.
    pub(crate) const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// The value in a spec, as people read it.
    pub(crate) fn shown(&self, spec: &Value) -> String {
        match at(spec, self.at) {
            Some(Value::Array(items)) if self.many => {
                let items = items.iter().map(|item| self.form.show(item));
                items.collect::<Vec<_>>().join(", ")
            }
            Some(value) => self.form.show(value),
            None => String::new(),
        }
    }
}

/// A column of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    /// Its head; `>` in front sets it on the right.
    pub(crate) head: &'static str,
    /// Where its values stand in the object: `spec.…` or `given.…`.
    pub(crate) at: &'static str,
}

impl Column {
    pub(crate) const fn new(head: &'static str, at: &'static str) -> Self {
        Self { head, at }
    }
}

/// A spec that is not of its kind's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The field: names with dots between them, items in brackets; empty where it is the whole.
    pub(crate) field: String,
    /// What is wrong with it.
    pub(crate) problem: String,
}

/// Whether a spec is of a kind's form.
///
/// # Errors
/// The first field that is not.
pub(crate) fn check<S: DeserializeOwned + Serialize>(spec: &Value) -> Result<(), Misfit> {
    match serde_path_to_error::deserialize::<_, S>(spec) {
        Ok(_) => Ok(()),
        Err(error) => {
            let field = error.path().to_string();
            Err(Misfit {
                field: if matches!(field.as_str(), "." | "?") {
                    String::new()
                } else {
                    field
                },
                problem: error.into_inner().to_string(),
            })
        }
    }
}

impl Kind {
    /// The kinds from the outermost parent to this one.
    pub(crate) fn chain(&'static self) -> Vec<&'static Self> {
        let mut chain: Vec<_> = std::iter::successors(Some(self), |kind| kind.parent).collect();
        chain.reverse();
        chain
    }

    /// The kinds above it, the outermost first.
    pub(crate) fn parents(&'static self) -> Vec<&'static Self> {
        let mut chain = self.chain();
        chain.pop();
        chain
    }

    /// The path of all objects of the kind under these parents.
    pub(crate) fn collection(&'static self, parents: &[String]) -> String {
        let mut path = BASE.to_owned();
        for (kind, name) in self.parents().iter().zip(parents) {
            path.extend(["/", kind.plural, "/", &segment(name)]);
        }
        path.push('/');
        path.push_str(self.plural);
        path
    }

    /// The path of one of them.
    pub(crate) fn item(&'static self, parents: &[String], name: &str) -> String {
        format!("{}/{}", self.collection(parents), segment(name))
    }

    /// The options that name its parents.
    pub(crate) fn within(&'static self, parents: &[String]) -> String {
        let parents = self.parents().into_iter().zip(parents);
        let options = parents.map(|(parent, name)| [" --", parent.name, " ", name].concat());
        options.collect()
    }

    /// The command, as it is typed.
    pub(crate) fn typed(&self) -> String {
        match self.whose {
            Whose::Users => format!("rackweave {}", self.command),
            Whose::Operators => format!("rackweave fleet {}", self.command),
        }
    }

    /// The field at this place of the spec, or above it.
    pub(crate) fn field(&self, place: &str) -> Option<&'static Field> {
        let place = place.split('[').next().unwrap_or(place);
        let within = |field: &&Field| {
            let rest = place.strip_prefix(field.at);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.fields
            .iter()
            .filter(within)
            .max_by_key(|field| field.at.len())
    }

    /// A value of an object, as people read it.
    pub(crate) fn shown(&self, object: &Value, place: &str) -> String {
        if let Some(place) = place.strip_prefix("spec.") {
            let field = self.fields.iter().find(|field| field.at == place);
            if let (Some(field), Some(spec)) = (field, object.get("spec")) {
                return field.shown(spec);
            }
        }
        at(object, place)
            .map(|value| given(place, value))
            .unwrap_or_default()
    }
}

/// What an object was given, as people read it.
pub(crate) fn given(place: &str, value: &Value) -> String {
    match place {
        "given.device" => Form::Device.show(value),
        _ => plain(value),
    }
}

/// The value at a place: names with dots between them.
pub(crate) fn at<'v>(value: &'v Value, place: &str) -> Option<&'v Value> {
    place.split('.').try_fold(value, |value, name| match value {
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        value => value.get(name),
    })
}

/// Sets the value at a place, and makes the objects above it.
pub(crate) fn set(value: &mut Value, place: &str, new: Value) {
    let (name, rest) = match place.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (place, None),
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Some(fields) = value.as_object_mut() else {
        return;
    };
    match rest {
        Some(rest) => set(fields.entry(name).or_insert(Value::Null), rest, new),
        None => {
            fields.insert(name.to_owned(), new);
        }
    }
}

/// Takes the value at a place out.
pub(crate) fn unset(value: &mut Value, place: &str) {
    let (above, name) = place.rsplit_once('.').unwrap_or(("", place));
    let above = if above.is_empty() {
        Some(value)
    } else {
        value.pointer_mut(&format!("/{}", above.replace('.', "/")))
    };
    if let Some(fields) = above.and_then(Value::as_object_mut) {
        fields.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kinds;

    #[test]
    fn values_are_set_where_they_belong() {
        let mut spec = json!({});
        set(&mut spec, "caps.out.bytes", json!(7));
        set(&mut spec, "mtu", json!(9000));
        assert_eq!(spec, json!({"caps": {"out": {"bytes": 7}}, "mtu": 9000}));
        assert_eq!(at(&spec, "caps.out.bytes"), Some(&json!(7)));
        assert_eq!(at(&spec, "caps.in.bytes"), None);
        unset(&mut spec, "caps.out.bytes");
        unset(&mut spec, "mtu");
        unset(&mut spec, "device.tap");
        assert_eq!(spec, json!({"caps": {"out": {}}}));
    }

    #[test]
    fn paths_are_those_of_the_api() {
        let names = ["shop", "prod", "own"].map(str::to_owned);
        assert_eq!(
            kinds::ROUTE.item(&names, "out"),
            "/v1/projects/shop/vpcs/prod/routers/own/routes/out"
        );
        assert_eq!(kinds::SLED.collection(&[]), "/v1/sleds");
    }

    #[test]
    fn a_place_of_the_spec_is_found_as_an_option() {
        let flag = |place: &str| kinds::FIREWALL_RULE.field(place).map(|field| field.flag);
        assert_eq!(flag("filters.ports[0]"), Some("port"));
        assert_eq!(flag("filters.hosts[1].cidr"), Some("host"));
        assert_eq!(flag("filters"), None);
        assert_eq!(flag("prior"), None);
    }

    #[test]
    fn the_field_that_does_not_fit_is_named() {
        let misfit = (kinds::SUBNET.check)(&json!({"ipv4": "10.0.0.0/33"})).unwrap_err();
        assert_eq!(misfit.field, "ipv4");
        let misfit = (kinds::VPC.check)(&json!({"ipv4": ["10.0.0.0/16", "x"]})).unwrap_err();
        assert_eq!(misfit.field, "ipv4[1]");
        assert!((kinds::VPC.check)(&json!({"ipv4": ["10.0.0.0/16"]})).is_ok());
    }
}
