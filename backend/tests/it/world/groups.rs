//! Groups: made, named, joined and left.

use super::World;
use super::person::Person;
use shared::ids::ConversationId;

fn sees_group(person: &Person, group: ConversationId, name: &str, members: &[&Person]) {
    person.sees_summary(group, |summary| {
        assert_eq!(summary.name.as_deref(), Some(name));
        let mut shown: Vec<_> = summary.members.iter().flatten().map(|member| member.id).collect();
        let mut expected: Vec<_> = members.iter().map(|member| member.id()).collect();
        shown.sort_unstable();
        expected.sort_unstable();
        assert_eq!(shown, expected);
    });
}

#[tokio::test]
async fn a_new_group_is_in_the_list_of_its_members_on_all_devices() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    world.signs_in(&ben).await;
    world.settles().await;
    let team = ada.makes("Team", &[&ben]).await;
    world.settles().await;
    sees_group(&ada, team, "Team", &[&ada, &ben]);
    sees_group(&ben, team, "Team", &[&ada, &ben]);
    assert!(!cy.knows(team));
    ben.sends(team, "hi");
    world.settles().await;
    ada.sees("hi");
    cy.sees_nothing();
}

#[tokio::test]
async fn a_new_name_shows_on_all_devices() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    world.signs_in(&ada).await;
    let team = ada.makes("Team", &[&ben]).await;
    world.settles().await;
    ben.renames(team, "Friends").await.unwrap();
    world.settles().await;
    sees_group(&ada, team, "Friends", &[&ada, &ben]);
    sees_group(&ben, team, "Friends", &[&ada, &ben]);
}

#[tokio::test]
async fn who_joins_reads_what_was_said_before_and_owes_no_reading() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    let team = ada.makes("Team", &[&ben]).await;
    world.settles().await;
    ada.sends(team, "before");
    world.settles().await;
    ben.brings_in(team, &cy).await.unwrap();
    world.settles().await;
    cy.sees("before");
    cy.has_unread(team, 0);
    for person in [&ada, &ben, &cy] {
        sees_group(person, team, "Team", &[&ada, &ben, &cy]);
    }
    ada.sends(team, "after");
    world.settles().await;
    cy.has_unread(team, 1);
}

#[tokio::test]
async fn who_left_has_nothing_of_it_any_more_and_hears_nothing_after_it() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    world.signs_in(&cy).await;
    let team = ada.makes("Team", &[&ben, &cy]).await;
    ada.sends(team, "before");
    world.settles().await;
    cy.leaves(team).await.unwrap();
    ada.sends(team, "after");
    world.settles().await;
    assert!(!cy.knows(team));
    cy.sees_nothing();
    sees_group(&ada, team, "Team", &[&ada, &ben]);
    ben.sees("after");
}

#[tokio::test]
async fn who_was_sent_away_has_nothing_of_it_any_more() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    let team = ada.makes("Team", &[&ben, &cy]).await;
    world.settles().await;
    ben.sends(team, "before");
    world.settles().await;
    assert!(ben.sends_away(team, &cy).await.is_err(), "only an owner may");
    ada.sends_away(team, &ben).await.unwrap();
    cy.sends(team, "after");
    world.settles().await;
    assert!(!ben.knows(team));
    ben.sees_nothing();
    ben.sends(team, "let me in");
    world.settles().await;
    ada.does_not_see("let me in");
    assert_eq!(ben.here().refused.len(), 1);
}

#[tokio::test]
async fn who_was_sent_away_while_away_finds_it_gone() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    let team = ada.makes("Team", &[&ben]).await;
    ada.sends(team, "before");
    world.settles().await;
    ben.goes_away();
    ada.sends_away(team, &ben).await.unwrap();
    ada.sends(team, "after");
    world.settles().await;
    ben.comes_back();
    world.settles().await;
    assert!(!ben.knows(team));
    ben.sees_nothing();
}

#[tokio::test]
async fn who_comes_again_sees_everything_and_goes_on() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    let phone = world.signs_in(&ben).await;
    let team = ada.makes("Team", &[&ben]).await;
    ada.sends(team, "one");
    world.settles().await;
    ben.leaves(team).await.unwrap();
    world.settles().await;
    ada.sends(team, "two");
    phone.goes_away();
    world.settles().await;
    assert!(ada.brings_in(team, &ben).await.is_err(), "who has left comes back by themselves");
    ben.brings_in(team, &ben).await.unwrap();
    ada.sends(team, "three");
    world.settles().await;
    phone.comes_back();
    world.settles().await;
    ben.sees_all(team, &["one", "two", "three"]);
    ben.has_unread(team, 1);
    phone.sends(team, "four");
    world.settles().await;
    ada.sees("four");
}

#[tokio::test]
async fn leaving_and_coming_again_at_once_ends_well() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    world.signs_in(&ben).await;
    let team = ada.makes("Team", &[&ben]).await;
    ada.sends(team, "one");
    world.settles().await;
    ben.leaves(team).await.unwrap();
    ben.brings_in(team, &ben).await.unwrap();
    ada.sends_away(team, &ben).await.unwrap();
    ada.brings_in(team, &ben).await.unwrap();
    ada.sends(team, "two");
    world.settles().await;
    ben.sees_all(team, &["one", "two"]);
}
