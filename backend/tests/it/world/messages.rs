//! Messages: who sees them, and what becomes of them.

use super::World;
use shared::message::Target;

#[tokio::test]
async fn a_message_to_one_person_is_seen_by_the_two_and_nobody_else() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    ada.sends(&ben, "hi");
    world.settles().await;
    ada.sees("hi");
    ben.sees("hi");
    cy.sees_nothing();
    ben.sends(&ada, "hello");
    world.settles().await;
    ada.sees_all(&ben, &["hi", "hello"]);
    ben.sees_all(&ada, &["hi", "hello"]);
    cy.sees_nothing();
}

#[tokio::test]
async fn a_message_to_several_is_seen_by_them_and_answered_in_the_same_place() {
    let mut world = World::new().await;
    let [ada, ben, cy, dee] = world.people(["Ada", "Ben", "Cy", "Dee"]).await;
    ada.sends([&ben, &cy], "hi");
    world.settles().await;
    cy.sends([&ada, &ben], "hello");
    world.settles().await;
    for person in [&ada, &ben, &cy] {
        person.sees("hi");
        person.sees("hello");
    }
    assert_eq!(ada.conversation([&ben, &cy]), cy.conversation([&ben, &ada]));
    dee.sees_nothing();
}

#[tokio::test]
async fn a_message_to_everyone_is_seen_by_everyone() {
    let mut world = World::new().await;
    let people = world.people(["Ada", "Ben", "Cy", "Dee"]).await;
    people[0].sends(Target::Everyone, "hi");
    world.settles().await;
    people.iter().for_each(|person| person.sees("hi"));
}

#[tokio::test]
async fn a_note_to_oneself_is_seen_by_nobody_else() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ada, "milk");
    world.settles().await;
    ada.sees("milk");
    ada.has_unread(&ada, 0);
    ben.sees_nothing();
}

#[tokio::test]
async fn all_devices_of_a_person_show_what_any_of_them_sends_and_gets() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    let phone = world.signs_in(&ada).await;
    world.settles().await;
    ada.sends(&ben, "from the desk");
    world.settles().await;
    phone.sends(&ben, "from the road");
    ben.sends(&ada, "hi");
    world.settles().await;
    for text in ["from the desk", "from the road", "hi"] {
        ada.sees(text);
        ben.sees(text);
    }
}

#[tokio::test]
async fn two_devices_that_write_at_once_show_one_order() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    let phone = world.signs_in(&ada).await;
    ada.sends(&ben, "hi");
    world.settles().await;
    for number in 0..4 {
        ada.sends(&ben, &format!("desk {number}"));
        phone.sends(&ben, &format!("phone {number}"));
        ben.sends(&ada, &format!("Ben {number}"));
    }
    world.settles().await;
    for number in 0..4 {
        ben.sees(&format!("desk {number}"));
        ben.sees(&format!("phone {number}"));
        ada.sees(&format!("Ben {number}"));
    }
}

#[tokio::test]
async fn an_edit_shows_the_new_text_in_the_old_place() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ben, "helo");
    ben.sends(&ada, "hi");
    world.settles().await;
    ada.edits("helo", "hello");
    world.settles().await;
    ada.edits("hello", "hello!");
    world.settles().await;
    ben.sees("hello!");
    ben.does_not_see("helo");
    ben.does_not_see("hello");
}

#[tokio::test]
async fn nobody_edits_or_deletes_what_another_has_written() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ben, "mine");
    world.settles().await;
    ben.edits("mine", "yours");
    ben.deletes("mine");
    world.settles().await;
    ada.sees_all(&ben, &["mine"]);
    ben.sees_all(&ada, &["mine"]);
    assert_eq!(ben.here().refused.len(), 2);
}

#[tokio::test]
async fn a_deletion_leaves_a_place_without_text_and_reactions() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ben, "secret");
    world.settles().await;
    ben.reacts("secret", "👍", true);
    ada.edits("secret", "more secret");
    world.settles().await;
    ada.deletes("more secret");
    world.settles().await;
    ada.sees_a_deleted_message(&ben);
    ben.sees_a_deleted_message(&ada);
    ben.does_not_see("more secret");
}

#[tokio::test]
async fn reactions_come_go_and_count_once() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ben, "hi");
    world.settles().await;
    ben.reacts("hi", "👍", true);
    world.settles().await;
    ada.reacts("hi", "👍", true);
    ada.reacts("hi", "🎉", true);
    ben.reacts("hi", "👍", true);
    world.settles().await;
    for person in [&ada, &ben] {
        person.sees_reactions("hi", &[("👍", &[&ben, &ada]), ("🎉", &[&ada])]);
    }
    ben.reacts("hi", "👍", false);
    ada.reacts("hi", "🎉", false);
    ada.reacts("hi", "🎉", false);
    world.settles().await;
    ben.reacts("hi", "❤️", false);
    world.settles().await;
    for person in [&ada, &ben] {
        person.sees_reactions("hi", &[("👍", &[&ada])]);
    }
}
