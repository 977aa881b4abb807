//! Telling people apart whose names look alike, where they stand in one list.
//!
//! Clients ask wherever somebody picks people. Always holds: two people of one list whose names look alike have different
//! tags, and people whose names look like nobody else's have none.

use shared::ids::{Timestamp, UserId};
use shared::name::skeleton;

/// Hexadecimal digits of a tag, unless more are needed to tell two people apart.
const DIGITS_MIN: usize = 4;

/// Somebody in a list.
#[derive(Debug, Clone)]
pub struct Named {
    /// Who.
    pub id: UserId,
    /// The name as it is shown.
    pub name: String,
    /// The name in lower case: who is called the same in any case is named by the same `@name`.
    pub key: String,
}

/// Tags (`#` and the last digits of the id) of the people in a list whose names look like another one's there. Compares all
/// with all: for lists that somebody looks at, of some hundred entries at most.
#[must_use]
pub fn tags(people: Vec<Named>) -> Vec<(UserId, String)> {
    let people: Vec<_> = people.into_iter().map(|Named { id, name, key }| (id, skeleton(&name), key)).collect();
    let mut tags: Vec<(UserId, String)> = Vec::new();
    for (id, look, key) in &people {
        let is_alike = |other: &&(UserId, String, String)| other.0 != *id && (other.1 == *look || other.2 == *key);
        let digits = people.iter().filter(is_alike).map(|other| same_digits(*id, other.0) + 1).max();
        if let Some(digits) = digits
            && tags.iter().all(|(known, _)| known != id)
        {
            tags.push((*id, tag(*id, digits.max(DIGITS_MIN))));
        }
    }
    tags
}

/// When somebody's account was made: the first 48 bits of the id (RFC 9562, section 5.7).
#[must_use]
pub fn since(id: UserId) -> Timestamp {
    let millis = id.as_bytes()[..6].iter().fold(0, |millis, byte| (millis << 8) | u64::from(*byte));
    Timestamp::from_millis(millis)
}

/// The digit at this place, counted from the end of an id.
fn digit(id: UserId, place: usize) -> u8 {
    let byte = id.as_bytes()[15 - place / 2];
    if place.is_multiple_of(2) { byte & 15 } else { byte >> 4 }
}

/// How many of their last digits two ids share.
fn same_digits(one: UserId, other: UserId) -> usize {
    (0..32).take_while(|place| digit(one, *place) == digit(other, *place)).count()
}

fn tag(id: UserId, digits: usize) -> String {
    let digits = (0..digits.min(32)).rev().filter_map(|place| char::from_digit(u32::from(digit(id, place)), 16));
    std::iter::once('#').chain(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(random: [u8; 10]) -> UserId {
        UserId::v7(Timestamp::from_millis(1_790_000_000_000), random)
    }

    fn named(id: UserId, name: &str) -> Named {
        Named { id, name: name.into(), key: name.to_lowercase() }
    }

    fn found(people: &[(UserId, &str)]) -> Vec<(UserId, String)> {
        tags(people.iter().map(|(id, name)| named(*id, name)).collect())
    }

    #[test]
    fn people_whose_names_look_alike_are_told_apart_and_no_others() {
        let [ada, sam, other_sam] = [1, 2, 3].map(|number| person([number; 10]));
        let tagged = |id: UserId, tag: &str| (id, tag.to_owned());
        assert_eq!(found(&[(ada, "Ada"), (sam, "Sam")]), []);
        let both = [tagged(sam, "#0202"), tagged(other_sam, "#0303")];
        for alike in ["Sam", "sam", "SAM", "Ѕаm", "S\u{200b}am", "Sam  "] {
            assert_eq!(found(&[(ada, "Ada"), (sam, "Sam"), (other_sam, alike)]), both, "{alike:?}");
        }
        assert_eq!(found(&[(sam, "Sam"), (sam, "Sam")]), [], "nobody looks like themselves");
        assert_eq!(found(&[(sam, "Élan"), (other_sam, "élan")]), both, "the same name in another case");
    }

    #[test]
    fn tags_are_as_long_as_it_takes_to_tell_people_apart() {
        let [one, other] = [1, 2].map(|first| person([first, 0, 0, 0, 0, 0, 0, 9, 9, 9]));
        let tags = found(&[(one, "Sam"), (other, "Sam")]);
        assert_ne!(tags[0].1, tags[1].1);
        assert!(tags[0].1.ends_with("090909"), "{tags:?}");
    }

    #[test]
    fn an_id_tells_since_when_somebody_is_here() {
        assert_eq!(since(person([7; 10])).as_millis(), 1_790_000_000_000);
    }
}
