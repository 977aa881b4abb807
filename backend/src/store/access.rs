//! Who may do what to a conversation and its messages: plain rules, asked inside the transaction that
//! does it, about people who are known to be members.

use shared::code::{Code, Rejection};
use shared::conversation::{ConversationKind, Role};

/// The role as it stands in the database.
pub(in crate::store) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Moderator => "moderator",
        Role::Member => "member",
    }
}

/// Another text for a message: its writer only.
pub(in crate::store) fn may_edit(is_own: bool) -> Result<(), Rejection> {
    if is_own {
        return Ok(());
    }
    Err(Rejection::new(Code::Forbidden, "Only the person who wrote a message can change it"))
}

/// Taking a message away: its writer, and whoever looks after the conversation.
pub(in crate::store) fn may_delete(is_own: bool, role: Role) -> Result<(), Rejection> {
    if is_own || role.looks_after() {
        return Ok(());
    }
    Err(Rejection::new(Code::Forbidden, "Only the person who wrote a message, or a moderator, can delete it"))
}

/// Ending somebody's membership: anybody their own; owners and moderators others', an owner's only the
/// owner.
pub(in crate::store) fn may_remove(is_self: bool, role: Role, of: Role) -> Result<(), Rejection> {
    if is_self {
        return Ok(());
    }
    if !role.looks_after() {
        return Err(Rejection::new(Code::Forbidden, "Only owners and moderators can remove somebody else"));
    }
    if of == Role::Owner {
        return Err(Rejection::new(Code::Forbidden, "An owner can only leave by themselves"));
    }
    Ok(())
}

/// Giving somebody another role: the owner, to others.
pub(in crate::store) fn may_appoint(is_self: bool, role: Role) -> Result<(), Rejection> {
    if role != Role::Owner {
        return Err(Rejection::new(Code::Forbidden, "Only an owner can change what others may do here"));
    }
    if is_self {
        return Err(Rejection::new(
            Code::Conflict,
            "Make somebody else an owner first; then they can change your role",
        ));
    }
    Ok(())
}

/// What it is about, and whether everybody may join: channels only.
pub(in crate::store) fn may_describe(kind: ConversationKind) -> Result<(), Rejection> {
    if kind == ConversationKind::Channel {
        return Ok(());
    }
    Err(Rejection::new(Code::Conflict, "Only channels have a topic and can be open to everybody"))
}

/// Opening a channel to everybody, or closing it: owners and moderators.
pub(in crate::store) fn may_open(role: Role) -> Result<(), Rejection> {
    if role.looks_after() {
        return Ok(());
    }
    Err(Rejection::new(Code::Forbidden, "Only owners and moderators can open a channel to everybody, or close it"))
}

/// Another name, or other members: not for direct conversations, nor for the one for everyone.
pub(in crate::store) fn may_change(kind: ConversationKind) -> Result<(), Rejection> {
    let text = match kind {
        ConversationKind::Group | ConversationKind::Channel => return Ok(()),
        ConversationKind::Direct => "A direct conversation is between its people and has no name of its own",
        ConversationKind::Everyone => "Everybody is in this conversation, and its name is fixed",
    };
    Err(Rejection::new(Code::Conflict, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_its_writers_and_can_be_taken_away_by_whoever_looks_after_the_place() {
        assert!(may_edit(true).is_ok() && may_edit(false).is_err());
        for role in Role::ALL {
            assert!(may_delete(true, role).is_ok());
            assert_eq!(may_delete(false, role).is_ok(), role != Role::Member, "{role:?}");
        }
    }

    #[test]
    fn each_role_may_send_away_who_the_table_says() {
        let table = [
            (Role::Owner, [false, true, true]),
            (Role::Moderator, [false, true, true]),
            (Role::Member, [false, false, false]),
        ];
        for (role, expected) in table {
            for (of, expected) in Role::ALL.into_iter().zip(expected) {
                assert_eq!(may_remove(false, role, of).is_ok(), expected, "{role:?} removes {of:?}");
            }
            assert!(may_remove(true, role, role).is_ok(), "anybody leaves");
        }
    }

    #[test]
    fn roles_are_given_by_owners_to_others() {
        for role in Role::ALL {
            assert_eq!(may_appoint(false, role).is_ok(), role == Role::Owner, "{role:?}");
            assert!(may_appoint(true, role).is_err());
        }
    }

    #[test]
    fn channels_are_described_by_their_members_and_opened_by_whoever_looks_after_them() {
        for role in Role::ALL {
            assert_eq!(may_open(role).is_ok(), role != Role::Member, "{role:?}");
        }
        assert!(may_describe(ConversationKind::Channel).is_ok());
        for kind in [ConversationKind::Direct, ConversationKind::Group, ConversationKind::Everyone] {
            assert_eq!(may_describe(kind).expect_err("refused").code, Code::Conflict);
        }
    }

    #[test]
    fn what_a_conversation_is_decides_whether_it_can_change() {
        let changeable = [ConversationKind::Group, ConversationKind::Channel];
        let fixed = [ConversationKind::Direct, ConversationKind::Everyone];
        assert!(changeable.into_iter().all(|kind| may_change(kind).is_ok()));
        assert!(fixed.into_iter().all(|kind| may_change(kind).is_err_and(|no| no.code == Code::Conflict)));
    }
}
