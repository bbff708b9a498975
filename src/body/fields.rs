//! The fields of a form, however it was written, become one object.

use jaq_json::Map;

use super::json::Unreadable;
use super::{Doc, Val};

/// More than anybody fills in.
const MOST: usize = 1000;

/// In bytes. Each name is kept, and repeated in what is said of its field.
const LONGEST_NAME: usize = 1000;

/// Names and what they hold, in the order in which names first appear.
#[derive(Default)]
pub(super) struct Fields {
    values: Map<Val, Vec<Val>>,
    count: usize,
}

impl Fields {
    /// One more field. Its name is just a name: `a[]` is no list.
    pub(super) fn add(&mut self, name: String, value: Val) -> Result<(), Unreadable> {
        self.count += 1;
        if MOST < self.count {
            return Err(Unreadable::new(format!("it holds more than {MOST} fields")));
        }
        if LONGEST_NAME < name.len() {
            return Err(Unreadable::new(format!("a field's name is longer than {LONGEST_NAME} bytes")));
        }
        self.values.entry(Val::utf8_str(name)).or_default().push(value);
        Ok(())
    }

    /// A document of one object; what was named more than once is a list.
    ///
    /// # Errors
    /// `role` beside `role[]` or `role[x]`: many parsers make one field of them.
    pub(super) fn into_doc(self) -> Result<Doc, Unreadable> {
        let bracketed = self.values.keys().filter_map(base);
        if bracketed.into_iter().any(|base| self.values.contains_key(&base)) {
            return Err(Unreadable::new("a field stands beside one of its name and brackets"));
        }
        let entry = |(name, values)| match <[Val; 1]>::try_from(values) {
            Ok([one]) => (name, one),
            Err(many) => (name, Vec::into_iter(many).collect()),
        };
        Doc::of(&Val::obj(self.values.into_iter().map(entry).collect()))
    }
}

/// What stands in front of the brackets of a name, if it has any.
fn base(name: &Val) -> Option<Val> {
    let Val::TStr(name) = name else { return None };
    let at = name.iter().position(|byte| *byte == b'[')?;
    Some(Val::utf8_str(name.slice(..at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_only_so_many_and_only_so_long() {
        let mut fields = Fields::default();
        assert!(fields.add("x".repeat(LONGEST_NAME + 1), Val::Null).is_err());
        for _ in 1..MOST {
            fields.add("x".repeat(LONGEST_NAME), Val::Null).unwrap();
        }
        assert!(fields.add("x".to_owned(), Val::Null).is_err());
    }
}
