//! How large a value is, and how deep, told without reading it as text.

use super::Val;
use super::json::DEEPEST;

/// More values than any answer that we let through has.
const MOST_LOOKS: usize = 4_000_000;

/// What one value counts for, however short it is written.
const VALUE: usize = 8;

/// Whether a value is nested no deeper than anything of ours is, told without
/// recursion. One that shares its parts can be too large to tell.
pub fn is_shallow(value: &Val) -> bool {
    let (mut looks, mut left) = (0, vec![(value, 1)]);
    while let Some((value, depth)) = left.pop() {
        looks += 1;
        if MOST_LOOKS < looks || DEEPEST * 2 < depth {
            return false;
        }
        match value {
            Val::Arr(items) => left.extend(items.iter().map(|item| (item, depth + 1))),
            Val::Obj(entries) => left.extend(entries.values().map(|value| (value, depth + 1))),
            Val::TStr(_) | Val::BStr(_) | Val::Null | Val::Bool(_) | Val::Num(_) => {}
        }
    }
    true
}

/// Takes what a value takes from `room`: about its length in bytes, and some
/// for each value in it. `false`: there is not enough.
pub fn takes(value: &Val, room: &mut usize) -> bool {
    let own = match value {
        Val::TStr(text) | Val::BStr(text) => text.len(),
        Val::Arr(items) => items.len(),
        Val::Obj(entries) => entries.len(),
        Val::Null | Val::Bool(_) | Val::Num(_) => 0,
    };
    match room.checked_sub(VALUE + own) {
        Some(left) => *room = left,
        None => return false,
    }
    match value {
        Val::Arr(items) => items.iter().all(|item| takes(item, room)),
        Val::Obj(entries) => entries.iter().all(|(key, value)| takes(key, room) && takes(value, room)),
        Val::TStr(_) | Val::BStr(_) | Val::Null | Val::Bool(_) | Val::Num(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> Val {
        (0..depth).fold(Val::Null, |value, _| [value].into_iter().collect())
    }

    #[test]
    fn depth_is_told_of_any_value() {
        assert!(is_shallow(&nested(DEEPEST)));
        assert!(!is_shallow(&nested(DEEPEST * 2)));
        let doubled = (0..60).fold(Val::Null, |value, _| [value.clone(), value].into_iter().collect());
        assert!(!is_shallow(&doubled));
    }

    #[test]
    fn each_value_takes_its_room() {
        let check = |value: Val, room: usize, expected: bool| {
            assert_eq!(takes(&value, &mut room.clone()), expected, "{value} {room}");
        };
        check(Val::Null, VALUE, true);
        check(Val::Null, VALUE - 1, false);
        check(Val::utf8_str("abc"), VALUE + 3, true);
        check(Val::utf8_str("abc"), VALUE + 2, false);
        check([Val::Null, Val::Null].into_iter().collect(), 3 * VALUE + 2, true);
        check([Val::Null, Val::Null].into_iter().collect(), 3 * VALUE + 1, false);
    }
}
