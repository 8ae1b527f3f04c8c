//! A message as a mapping fills it: rules at the leaves, evaluated for a row into the API's JSON.
//!
//! Apart from single rules because this decides what is left out: a title without a text, a size without
//! an amount, a scope of which nothing is said.

use serde_json::{Map, Value as Json};

use crate::error::Failure;
use crate::tabular::Problem;

use super::names::Names;
use super::rule::{Rule, Stop};
use super::schema::{Message, Shape};
use super::tree::{Table, Value};
use super::{Input, Values};

/// A part of a message.
#[derive(Debug)]
pub(crate) enum Node {
    Text(Rule),
    Number(Rule),
    Date(Rule),
    OneOf(&'static [&'static str], Rule),
    Words(Vec<Rule>),
    Group(Group),
    List(Vec<Group>),
}

/// A message.
#[derive(Debug)]
pub(crate) struct Group {
    fields: Vec<(&'static str, Node)>,
    led: bool,
}

impl Group {
    /// Reads a table of the mapping as such a message.
    ///
    /// # Errors
    ///
    /// [`Failure::Usage`] with the place that is wrong.
    pub(crate) fn read(
        table: &Table<'_>,
        message: &'static Message,
        names: &mut Names,
        input: &Input,
    ) -> Result<Self, Failure> {
        let known: Vec<&str> = message.fields.iter().map(|(name, _)| *name).collect();
        table.only(&known)?;
        let mut fields = Vec::new();
        for (name, shape) in message.fields {
            if let Some(value) = table.get(name) {
                fields.push((*name, node(&value, *shape, names, input)?));
            }
        }
        let first = message.fields.first().map(|(name, _)| *name);
        if let (true, Some(first)) = (message.led, first)
            && !fields.iter().any(|(name, _)| *name == first)
        {
            return Err(table.wrong(format!("`{first}` is missing here")));
        }
        Ok(Self {
            fields,
            led: message.led,
        })
    }

    /// Whether the mapping says something of that field.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.fields.iter().any(|(name, _)| *name == field)
    }

    /// The message for a row; nothing when it is to be left out.
    ///
    /// # Errors
    ///
    /// [`Stop`] when the row cannot be taken.
    pub(crate) fn evaluate(&self, values: &Values<'_>) -> Result<Option<Map<String, Json>>, Stop> {
        let mut object = Map::new();
        for (index, (name, node)) in self.fields.iter().enumerate() {
            match node.evaluate(values)? {
                Some(value) => {
                    object.insert((*name).to_owned(), value);
                }
                None if self.led && index == 0 => return Ok(None),
                None => {}
            }
        }
        // Of a table without keys nothing can be missing: it is meant as it stands.
        let meant = !object.is_empty() || self.fields.is_empty();
        Ok(meant.then_some(object))
    }
}

fn node(
    value: &Value<'_>,
    shape: Shape,
    names: &mut Names,
    input: &Input,
) -> Result<Node, Failure> {
    let mut rule = |value: &Value<'_>| Rule::read(value, names, input);
    let node = match shape {
        Shape::Text => Node::Text(rule(value)?),
        Shape::Number => Node::Number(rule(value)?),
        Shape::Date => Node::Date(rule(value)?),
        Shape::OneOf(words) => Node::OneOf(words, rule(value)?),
        Shape::Words if value.raw().is_array() => {
            let rules: Result<Vec<Rule>, Failure> = value.list()?.iter().map(rule).collect();
            Node::Words(rules?)
        }
        Shape::Words => Node::Words(vec![rule(value)?]),
        Shape::Group(message) => Node::Group(Group::read(&value.table()?, message, names, input)?),
        Shape::List(message) => {
            let mut groups = Vec::new();
            for entry in value.list()? {
                groups.push(Group::read(&entry.table()?, message, names, input)?);
            }
            Node::List(groups)
        }
    };
    if let Node::Text(rule) | Node::Number(rule) | Node::Date(rule) | Node::OneOf(_, rule) = &node
        && rule.splits()
    {
        return Err(value.wrong(format!(
            "`{}` is one text: it cannot be split",
            value.name()
        )));
    }
    Ok(node)
}

impl Node {
    fn evaluate(&self, values: &Values<'_>) -> Result<Option<Json>, Stop> {
        let text = |text: String| (!text.is_empty()).then_some(Json::String(text));
        Ok(match self {
            Self::Text(rule) => text(rule.text(values)?),
            Self::Date(rule) => text(rule.date(values)?),
            Self::OneOf(words, rule) => {
                let word = rule.text(values)?;
                if !word.is_empty() && !words.contains(&word.as_str()) {
                    let sentence = format!("{} is one of {}", rule.name, words.join(", "));
                    return Err(Problem::new("UNKNOWN_WORD", &rule.column(values), sentence).into());
                }
                text(word)
            }
            Self::Number(rule) => match rule.text(values)?.as_str() {
                "" => None,
                digits => {
                    let number: u32 = digits.parse().map_err(|_| {
                        let sentence = format!("{} is a whole number, such as 2", rule.name);
                        Problem::new("BAD_NUMBER", &rule.column(values), sentence)
                    })?;
                    Some(Json::from(number))
                }
            },
            Self::Words(rules) => {
                let mut all = Vec::new();
                for rule in rules {
                    all.extend(rule.texts(values)?.into_iter().map(Json::String));
                }
                (!all.is_empty()).then_some(Json::Array(all))
            }
            Self::Group(group) => group.evaluate(values)?.map(Json::Object),
            Self::List(groups) => {
                let mut all = Vec::new();
                for group in groups {
                    all.extend(group.evaluate(values)?.map(Json::Object));
                }
                (!all.is_empty()).then_some(Json::Array(all))
            }
        })
    }
}
