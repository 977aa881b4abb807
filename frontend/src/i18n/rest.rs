//! English texts that the first load leaves out. They come with the parts that are loaded later, all at once
//! ([`super::complete`]).
//!
//! A new text is part of the first load until it stands here.

use super::texts::{ENGLISH, Text};

/// Texts that only parts show which are loaded later. (A test looks where they are used.)
#[rustfmt::skip]
pub(super) const LATER: &[Text] = &[
    Text::SendingNow, Text::Patience, Text::ConnectionLost, Text::ReconnectNow, Text::YouAreOffline, Text::SignedOut,
    Text::SignInAgain, Text::TooManyPlaces, Text::UseItHere, Text::Banned, Text::ConnectionEnded, Text::Reload,
    Text::NewVersion, Text::NothingIsKept, Text::NoConversation, Text::Members, Text::AddPeople,
    Text::ConversationName, Text::Owner, Text::Moderator, Text::Member, Text::Pin, Text::Archive, Text::MarkUnread,
    Text::NotifyAbout, Text::NotifyAll, Text::NotifyMentions, Text::NotifyNothing, Text::Date, Text::GoThere,
    Text::FirstMessage, Text::NothingSince, Text::YourPicture, Text::ItsPicture, Text::ChoosePicture,
    Text::RemovePicture, Text::YourStatus, Text::YourStatusHint, Text::Privacy, Text::ShowPresence, Text::ShowTyping,
    Text::ForAnHour, Text::UntilTomorrow, Text::QuietUntil, Text::Notifications, Text::NotificationsOn,
    Text::ToldWhenClosed, Text::NotToldWhenClosed, Text::NotificationsOff, Text::NotificationsDenied,
    Text::NotificationsNone, Text::TurnOn, Text::TurnOff, Text::PlaySound, Text::DoNotDisturb, Text::QuietOff,
    Text::QuietAlways, Text::RoleOf, Text::Leave, Text::Channels, Text::ChannelsLead, Text::FindChannels,
    Text::NoChannels, Text::Join, Text::OpenIt, Text::Topic, Text::AnybodyMayJoin, Text::ReallyLeave,
    Text::SearchMessages, Text::SearchResults, Text::SearchHelp, Text::NoMessageFound,
    Text::KindGroup, Text::Kind, Text::Create, Text::Creating, Text::FilesToSend, Text::UploadingFile,
    Text::RemoveFile, Text::FileTooLarge, Text::SendAnyway, Text::Download, Text::Picture, Text::ShowPicture,
    Text::PreviousPicture, Text::NextPicture, Text::PickSomebody, Text::PickPeople, Text::ChosenPeople,
    Text::FindPeople, Text::LookingForPeople, Text::PeopleList, Text::Nobody, Text::Remove, Text::GroupRequests,
    Text::InvitesYouTo, Text::InvitesYou, Text::Decline, Text::Invited, Text::YouLeft, Text::ComeBack,
    Text::Appearance, Text::Theme, Text::ThemeSystem, Text::ThemeLight, Text::ThemeDark, Text::ThemeContrast,
    Text::Density, Text::DensityComfortable, Text::DensityCompact, Text::FontSize, Text::SizeNormal, Text::SizeSmall,
    Text::SizeLarge, Text::SizeHuge, Text::Language, Text::Profile, Text::CurrentPassword, Text::ForEmailOnly,
    Text::Saved, Text::ChangePassword, Text::NewPassword, Text::EndsOthers, Text::Devices, Text::ThisDevice,
    Text::LastSeen, Text::NoDevices, Text::Tokens, Text::TokensLead, Text::NoTokens, Text::NeverUsed, Text::TokenEnds,
    Text::TokenName, Text::CreateToken, Text::TokenShownOnce, Text::DeleteAccount, Text::DeletionLead,
];

/// Texts that are only ever shown in a translation: in English the server's own sentence is ([`super::refusal`]).
#[rustfmt::skip]
pub(super) const TRANSLATED: &[Text] = &[
    Text::RefusedSignIn, Text::RefusedUnauthenticated, Text::RefusedForbidden, Text::RefusedNotFound,
    Text::RefusedConflict, Text::RefusedInvitation, Text::RefusedGone, Text::RefusedMembers,
    Text::RefusedAddressTaken, Text::RefusedTooLarge, Text::RefusedRateLimited,
    Text::RefusedOverloaded, Text::RefusedStorageFull, Text::RefusedQuota, Text::RefusedReserve,
    Text::RefusedInternal, Text::RefusedEmpty, Text::RefusedTooLong, Text::RefusedReference, Text::RefusedEmail,
    Text::RefusedName, Text::RefusedPassword, Text::RefusedOther,
];

/// The texts of the first load, by [`Text`]; the others are empty.
pub(super) static FIRST: &[&str] = &without(without(all(), LATER), TRANSLATED);

const fn all() -> [&'static str; ENGLISH.len()] {
    let mut texts = [""; ENGLISH.len()];
    let mut index = 0;
    while index < texts.len() {
        texts[index] = ENGLISH[index];
        index += 1;
    }
    texts
}

const fn without(mut texts: [&'static str; ENGLISH.len()], left_out: &[Text]) -> [&'static str; ENGLISH.len()] {
    let mut index = 0;
    while index < left_out.len() {
        texts[left_out[index] as usize] = "";
        index += 1;
    }
    texts
}
