//! People: who is there, what they are called, and what is left when they go.

use super::World;

#[tokio::test]
async fn who_is_there_is_told_to_those_who_talk_with_them_only() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    ada.sends(&ben, "hi");
    cy.sends(&ben, "we do not know each other");
    world.settles().await;
    ben.sends(&ada, "hello");
    world.settles().await;
    let dee = world.person("Dee").await;
    dee.goes_away();
    world.settles().await;
    assert!(!ada.sees_online(&dee) && !ada.sees_online(&ben), "nobody has come since");
    // A device that comes back is told of all who are there.
    ada.is_cut_off();
    cy.is_cut_off();
    world.settles().await;
    assert!(ada.sees_online(&ben));
    assert!(!ada.sees_online(&cy) && !cy.sees_online(&ada) && !cy.sees_online(&ben));
}

#[tokio::test]
async fn a_session_that_ends_takes_its_device_and_no_other() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    let phone = world.signs_in(&ada).await;
    let tablet = world.signs_in(&ada).await;
    world.settles().await;
    tablet.goes_away();
    ada.signs_out_others().await;
    tablet.comes_back();
    world.settles().await;
    assert!(phone.is_signed_out() && tablet.is_signed_out() && !ada.is_signed_out());
    ben.sends(&ada, "hi");
    world.settles().await;
    ada.sees("hi");
}

#[tokio::test]
async fn a_new_name_shows_wherever_the_person_is() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    world.signs_in(&ada).await;
    ada.sends(&ben, "hi");
    let team = ada.makes("Team", &[&ben]).await;
    world.settles().await;
    ada.is_now_called("Ada Lovelace").await;
    world.settles().await;
    for id in [team, ben.conversation(&ada)] {
        ben.sees_summary(id, |summary| {
            assert!(summary.members.iter().flatten().any(|member| member.display_name == "Ada Lovelace"));
        });
    }
}

#[tokio::test]
async fn who_deletes_the_account_is_gone_and_what_they_wrote_stays() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    world.signs_in(&ada).await;
    ada.sends(&ben, "hi");
    let team = ada.makes("Team", &[&ben, &cy]).await;
    world.settles().await;
    ada.sends(team, "bye");
    world.settles().await;
    ada.deletes_the_account().await;
    world.settles().await;
    assert!(ada.is_signed_out());
    ben.sees("hi");
    ben.sees("bye");
    ben.sees_summary(team, |summary| {
        assert!(summary.members.iter().flatten().all(|member| member.id != ada.id()));
    });
    ben.sends(team, "who is the owner now?");
    world.settles().await;
    cy.sees("who is the owner now?");
}
