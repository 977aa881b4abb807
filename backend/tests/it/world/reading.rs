//! Reading: unread counts, receipts, typing.

use super::World;
use shared::frame::ClientFrame;
use shared::ids::Seq;
use shared::message::Target;
use shared::receipt::UpTo;

#[tokio::test]
async fn unread_counts_are_the_same_on_all_devices_until_one_of_them_reads() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    let phone = world.signs_in(&ben).await;
    for text in ["one", "two", "three"] {
        ada.sends(&ben, text);
    }
    world.settles().await;
    ben.has_unread(&ada, 3);
    ada.has_unread(&ben, 0);
    phone.reads(&ada);
    world.settles().await;
    ben.has_unread(&ada, 0);
    ada.sends(&ben, "four");
    world.settles().await;
    ben.has_unread(&ada, 1);
    ben.sends(&ada, "writing is reading");
    world.settles().await;
    ben.has_unread(&ada, 0);
}

#[tokio::test]
async fn edits_and_reactions_are_not_unread() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ada.sends(&ben, "helo");
    world.settles().await;
    ben.reads(&ada);
    ada.edits("helo", "hello");
    ada.reacts("helo", "🎉", true);
    world.settles().await;
    ben.has_unread(&ada, 0);
}

#[tokio::test]
async fn what_everybody_reads_is_counted_for_each() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    ada.sends(Target::Everyone, "hi");
    world.settles().await;
    ben.reads(Target::Everyone);
    world.settles().await;
    ben.has_unread(Target::Everyone, 0);
    cy.has_unread(Target::Everyone, 1);
}

#[tokio::test]
async fn what_was_read_without_a_connection_is_read_everywhere_after_it() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    world.signs_in(&ben).await;
    ada.sends(&ben, "hi");
    world.settles().await;
    ben.goes_away();
    ben.reads(&ada);
    world.settles().await;
    ben.has_unread(&ada, 1);
    ben.comes_back();
    world.settles().await;
    ben.has_unread(&ada, 0);
}

#[tokio::test]
async fn receipts_are_cumulative_and_never_go_back() {
    let mut world = World::new().await;
    let [ada, ben] = world.people(["Ada", "Ben"]).await;
    ben.sends(&ada, "zero");
    world.settles().await;
    for text in ["one", "two", "three"] {
        ada.sends(&ben, text);
    }
    world.settles().await;
    let talk = ada.conversation(&ben);
    ada.sees_receipt(talk, &ben, 4, 1);
    ben.reads(&ada);
    world.settles().await;
    ada.sees_receipt(talk, &ben, 4, 4);
    let up_to = |seq| UpTo { conversation: talk, seq: Seq::new(seq).unwrap() };
    ben.here().transmit(ClientFrame::Read(up_to(1)));
    ben.here().transmit(ClientFrame::Delivered(up_to(1)));
    ben.here().transmit(ClientFrame::Read(up_to(99)));
    world.settles().await;
    ada.sees_receipt(talk, &ben, 4, 4);
    ada.sends(&ben, "four");
    world.settles().await;
    ada.sees_receipt(talk, &ben, 5, 4);
}

#[tokio::test]
async fn typing_is_seen_by_the_other_members_only() {
    let mut world = World::new().await;
    let [ada, ben, cy] = world.people(["Ada", "Ben", "Cy"]).await;
    world.signs_in(&ben).await;
    let team = ada.makes("Team", &[&ben]).await;
    world.settles().await;
    ada.types_in(team);
    world.settles().await;
    ben.sees_typing(team, &[&ada]);
    ada.sees_typing(team, &[]);
    cy.sees_typing(team, &[]);
    ada.sends(team, "hi");
    world.settles().await;
    ben.sees_typing(team, &[]);
}
