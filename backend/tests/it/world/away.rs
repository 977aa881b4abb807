//! Being away: what was missed is there afterwards, and what was written goes out once.

use super::World;
use shared::message::Target;

#[tokio::test]
async fn a_device_that_was_away_shows_what_it_missed() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    world.signs_in(&ben).await;
    ada.sends(&ben, "before");
    world.settles().await;
    ben.goes_away();
    ada.sends(&ben, "meanwhile");
    ada.sends(Target::Everyone, "to all");
    world.settles().await;
    ben.comes_back();
    world.settles().await;
    ben.sees_all(&ada, &["before", "meanwhile"]);
    ben.sees("to all");
}

#[tokio::test]
async fn a_device_comes_back_while_others_write() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ben, "before");
    world.settles().await;
    ben.goes_away();
    for number in 0..6 {
        ada.sends(&ben, &format!("meanwhile {number}"));
    }
    world.settles().await;
    ben.comes_back();
    for number in 0..6 {
        ada.sends(&ben, &format!("during {number}"));
    }
    ben.sends(&ada, "I am back");
    world.settles().await;
    ben.sees("meanwhile 5");
    ben.sees("during 5");
    ada.sees("I am back");
}

#[tokio::test]
async fn who_was_away_for_very_long_shows_the_end_and_loads_the_rest_on_request() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ben, "before");
    world.settles().await;
    ben.goes_away();
    for number in 0..30 {
        ada.sends(&ben, &format!("meanwhile {number}"));
    }
    world.settles().await;
    ben.comes_back();
    world.settles().await;
    ben.does_not_see("before");
    for _ in 0..3 {
        ben.scrolls_back(&ada);
        world.settles().await;
    }
    ben.sees("before");
    ben.sees("meanwhile 29");
}

#[tokio::test]
async fn what_happened_to_an_old_message_meanwhile_is_seen() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    for text in ["one", "two", "three"] {
        ada.sends(&ben, text);
    }
    world.settles().await;
    ben.goes_away();
    ada.edits("one", "ONE");
    ada.deletes("two");
    ada.reacts("three", "🎉", true);
    world.settles().await;
    ada.edits("ONE", "One");
    world.settles().await;
    ben.comes_back();
    world.settles().await;
    ben.sees_all(&ada, &["One", "", "three"]);
    ben.sees_reactions("three", &[("🎉", &[&ada])]);
}

#[tokio::test]
async fn what_happened_to_a_message_that_is_not_loaded_shows_when_it_is() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    for number in 0..20 {
        ada.sends(&ben, &format!("{number}"));
    }
    world.settles().await;
    let phone = world.signs_in(&ben).await;
    for _ in 0..2 {
        ada.scrolls_back(&ben);
        world.settles().await;
    }
    ada.edits("3", "three");
    ada.deletes("4");
    ada.reacts("5", "🎉", true);
    world.settles().await;
    for _ in 0..2 {
        ben.scrolls_back(&ada);
        phone.scrolls_back(&ada);
        world.settles().await;
    }
    phone.sees_reactions("5", &[("🎉", &[&ada])]);
    phone.sees("three");
    phone.does_not_see("4");
}

#[tokio::test]
async fn what_was_written_without_a_connection_goes_out_after_it_once() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ben, "before");
    world.settles().await;
    ada.goes_away();
    ada.sends(&ben, "meanwhile");
    ada.edits("before", "Before");
    world.settles().await;
    ben.does_not_see("meanwhile");
    ada.comes_back();
    world.settles().await;
    ben.sees_all(&ada, &["Before", "meanwhile"]);
    ada.sees_all(&ben, &["Before", "meanwhile"]);
}

#[tokio::test]
async fn every_command_whose_answer_was_lost_is_done_once() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    world.signs_in(&ada).await;
    for text in ["one", "two", "three"] {
        ada.sends(&ben, text);
    }
    world.settles().await;
    let commands: [&dyn Fn(); 5] = [
        &|| ada.sends(&ben, "four"),
        &|| ada.edits("one", "ONE"),
        &|| ada.deletes("two"),
        &|| ada.reacts("three", "🎉", true),
        &|| ada.reacts("three", "🎉", false),
    ];
    for command in commands {
        command();
        ada.is_cut_off();
        world.settles().await;
    }
    for person in [(&ada, &ben), (&ben, &ada)] {
        person.0.sees_all(person.1, &["ONE", "", "three", "four"]);
        person.0.sees_reactions("three", &[]);
    }
    ada.sees_summary(ada.conversation(&ben), |summary| assert_eq!(summary.last_seq.get(), 8, "each of them once"));
}

#[tokio::test]
async fn a_device_that_takes_nothing_for_long_catches_up_without_loss() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    let long = "x".repeat(16_000);
    ada.sends(&ben, "before");
    cy.sends(&ben, "hello");
    world.settles().await;
    ben.stops_taking();
    for portion in 0..5 {
        for number in 0..16 {
            ada.sends(&ben, &format!("{portion} {number} {long}"));
        }
        world.settles().await;
    }
    cy.sends(&ben, "are you there?");
    world.settles().await;
    ben.takes_again();
    ada.sends(&ben, "the end");
    world.settles().await;
    ben.sees("the end");
    ben.sees("are you there?");
    ben.has_unread(&ada, 82);
    ben.sees(&format!("4 15 {long}"));
    ben.sees(&format!("0 0 {long}"));
}
