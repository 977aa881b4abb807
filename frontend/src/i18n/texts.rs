//! Every text the page shows, in English. The other languages are in `languages/`, in the same order.
//!
//! `{name}` and the like are filled in. A text that depends on a number has a form for each category of the
//! language's plural rules (CLDR): `one:{n} day|other:{n} days`.

macro_rules! texts {
    ($($name:ident = $english:literal;)*) => {
        /// One of the page's texts.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u16)]
        pub(crate) enum Text { $($name),* }

        /// All of them, by [`Text`].
        pub(super) const ENGLISH: &[&str] = &[$($english),*];

        /// What they are called where they are translated.
        #[cfg(test)]
        pub(super) const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// Tells whether a translation is of these texts.
        pub(super) const FINGERPRINT: u32 = {
            let mut fingerprint = super::FINGERPRINT_START;
            $(fingerprint = super::add_to_fingerprint(fingerprint, stringify!($name));)*
            fingerprint
        };
    };
}

texts! {
    // Signing in and up.
    SignInTitle = "Welcome back";
    SignInLead = "Sign in to go on talking.";
    SignIn = "Sign in";
    SigningIn = "Signing in…";
    NewHere = "New here?";
    CreateAnAccount = "Create an account";
    SignUpTitle = "Create your account";
    SignUpLead = "A name, an address, a password: that is all.";
    CreateAccount = "Create account";
    CreatingAccount = "Creating your account…";
    YourName = "Your name";
    YourNameHint = "This is what others see.";
    AlreadyHere = "Already have an account?";
    Email = "E-mail";
    Password = "Password";
    PasswordHint = "At least 10 characters.";
    SignOut = "Sign out";
    StillSignedIn = "You are still signed in. {reason}";

    // The connection.
    Connected = "Connected";
    Connecting = "Connecting…";
    Reconnecting = "Reconnecting…";
    Offline = "Offline";
    NotConnected = "Not connected";
    SendingNow = "Sending…";
    Patience = "The server asks for a little patience. Sending goes on in {n} s";
    ConnectionLost = "Connection lost. Reconnecting in {n} s";
    ReconnectNow = "Reconnect now";
    YouAreOffline = "You are offline. What you write is sent when you are back.";
    SignedOut = "You are signed out.";
    SignInAgain = "Sign in again";
    TooManyPlaces = "Confab is open in too many places. This one was closed.";
    UseItHere = "Use it here";
    Banned = "This account cannot connect.";
    ConnectionEnded = "The connection was ended ({code}). Reloading may help.";
    Reload = "Reload";
    NewVersion = "A new version of Confab is ready.";
    NothingIsKept = "This browser keeps no unsent messages. Leave the page open until all is sent.";
    Unreachable = "The server cannot be reached. Please check your connection and try again";

    // The list.
    Conversations = "Conversations";
    NewMessage = "New message";
    ShowMore = "Show more";
    Everyone = "Everyone";
    Notes = "Notes to yourself";
    JustYou = "Just you";
    Archived = "Archived";
    Pinned = "Pinned";
    Muted = "Muted";
    AndMore = "one:{names} and {n} more|other:{names} and {n} more";
    NoMessages = "No messages yet";
    You = "You";
    Deleted = "This message was deleted";
    Unread = "one:{n} unread|other:{n} unread";
    ChangedMessage = "{name} changed a message";
    DeletedMessage = "{name} deleted a message";
    Reacted = "{name} reacted {emoji}";
    TookReactionBack = "{name} took a reaction back";
    MadeConversation = "{name} made this conversation";
    NamedIt = "{name} named it {title}";
    SomebodyJoined = "Somebody joined";
    SomebodyLeft = "Somebody left";
    PickConversation = "Pick a conversation";
    OrSomebodyNew = "or write to somebody new.";
    FirstSteps = "Begin here";
    HelloEveryone = "Say hello to everyone";
    OthersJoinAt = "Others join at this address:";
    CopyAddress = "Copy address";
    Copied = "Copied";
    BackToList = "Back to the list";

    // A conversation.
    WriteMessage = "Write a message";
    MessageTo = "Message to {name}";
    Suggestions = "Suggestions";
    EverybodyHere = "Everybody on this server";
    HereSince = "Here since {day}";
    OnlyYou = "Only you see this";
    Channel = "Channel";
    People = "one:{n} person|other:{n} people";
    Online = "Online";
    Away = "Away";
    LastHereAt = "Last here at {time}";
    LastHereOn = "Last here on {day}";
    IsWriting = "{name} is writing…";
    TwoAreWriting = "{name} and {other} are writing…";
    SeveralAreWriting = "Several people are writing…";
    Messages = "Messages";
    Loading = "Loading…";
    NotLoaded = "These messages could not be loaded.";
    PartNotLoaded = "This part of the page could not be loaded.";
    TryAgain = "Try again";
    NoConversation = "There is no conversation here that you can see.";
    SayHello = "No messages yet. Say hello!";
    LatestMessages = "Latest messages";
    NewMessages = "one:{n} new message|other:{n} new messages";
    ShowEarlier = "Show earlier messages";
    ShowLater = "Show later messages";
    NewSince = "New";

    // A message.
    Sending = "Sending";
    NotSent = "Not sent";
    Sent = "Sent";
    Delivered = "Delivered";
    Read = "Read";
    ReadBy = "Read by";
    About = "About this conversation";
    Members = "Members";
    AddPeople = "Add people";
    ConversationName = "Name of the conversation";
    Owner = "Owner";
    Moderator = "Moderator";
    Member = "Member";
    Pin = "Pin";
    Archive = "Archive";
    MarkUnread = "Mark as unread";
    NotifyAbout = "Tell me about";
    NotifyAll = "All messages";
    NotifyMentions = "Messages that name me";
    NotifyNothing = "Nothing";
    GoToDate = "Go to a date";
    Date = "Date";
    GoThere = "Go";
    FirstMessage = "First message";
    NothingSince = "Nothing was written since then";
    YourPicture = "Your picture";
    ItsPicture = "Picture of this conversation";
    ChoosePicture = "Choose a picture";
    RemovePicture = "Remove the picture";
    YourStatus = "Status";
    YourStatusHint = "A few words others see beside your name.";
    Privacy = "Privacy";
    ShowPresence = "Others see when I am here, and when I last was";
    ShowTyping = "Others see that I am writing";
    ForAnHour = "Nothing for an hour";
    UntilTomorrow = "Nothing until tomorrow morning";
    QuietUntil = "Nothing until {time}";
    Notifications = "Notifications";
    NotificationsOn = "You are told of new messages here, unless you are looking at them.";
    ToldWhenClosed = "Also while Confab is closed.";
    NotToldWhenClosed = "Only while Confab is open: this browser cannot be told otherwise.";
    NotificationsOff = "Be told of new messages while you do something else.";
    NotificationsDenied = "This browser does not allow notifications for Confab. You can change that in its settings for this page.";
    NotificationsNone = "This browser has no notifications for pages like this one.";
    NotificationsInsecure = "Browsers show notifications for addresses with https only. Whoever runs this server can set that up.";
    TurnOn = "Turn on";
    TurnOff = "Turn off";
    PlaySound = "Play a sound";
    DoNotDisturb = "Do not disturb";
    QuietOff = "Tell me as usual";
    QuietAlways = "Nothing until I change it";
    RoleOf = "Role of {name}";
    Leave = "Leave this conversation";
    Channels = "Channels";
    ChannelsLead = "Places everybody here may join.";
    FindChannels = "Find channels";
    NoChannels = "There is no channel like that yet. You can make one where new messages begin.";
    Join = "Join";
    OpenIt = "Open";
    Topic = "Topic";
    AnybodyMayJoin = "Everybody here finds it and may join";
    DescribedIt = "{name} changed the description or picture";
    ReallyLeave = "Really leave? Click again.";
    SearchMessages = "Search messages";
    SearchHere = "Search in this conversation";
    SearchFor = "Search messages for “{text}”";
    SearchResults = "Messages found";
    SearchHelp = "Words, \"words together\", from:name, in:name, before:2026-11-26, after:2026-11-26, has:link, has:file";
    NoMessageFound = "Nothing was found.";
    NewGroup = "New group or channel";
    KindGroup = "Group";
    Kind = "Kind";
    Create = "Create";
    Creating = "Creating…";
    NotSentBecause = "Not sent. {reason}";
    Edit = "Edit";
    Discard = "Discard";
    Edited = "(edited)";
    ShowHidden = "Show hidden text";
    ReactionCount = "one:{emoji}, {n} person|other:{emoji}, {n} people";
    MessageActions = "Message actions";
    React = "Add a reaction";
    Reply = "Reply";
    Delete = "Delete";
    CopyLink = "Copy link";
    CopyContent = "Copy text";
    CopyByHand = "The browser does not let this page copy. Please copy it from here:";
    Undo = "Undo";
    Deleting = "Message deleted.";
    Saving = "Saving…";
    NotSaved = "Your change was not saved. {reason}";
    QuoteLoading = "Loading the message…";
    QuoteMissing = "This message cannot be shown";
    GoToMessage = "Show the message this answers";

    // Writing.
    Send = "Send";
    Save = "Save";
    Cancel = "Cancel";
    Close = "Close";
    OutboxFull = "Too many messages are waiting to be sent";
    TooLong = "one:{n} byte too long. Please send it in parts|other:{n} bytes too long. Please send it in parts";
    BytesLeft = "one:{n} byte left|other:{n} bytes left";
    AddFiles = "Add files";
    FilesToSend = "Files to send";
    DropFiles = "Drop files here";
    UploadingFile = "Uploading {name}";
    RemoveFile = "Remove {name}";
    FileTooLarge = "A file has at most {size}";
    SendAnyway = "Send anyway";
    TooManyFiles = "one:A message carries {n} file at most|other:A message carries {n} files at most";
    SendAsFile = "Send as a file";
    SentWhenThere = "It is sent as soon as the files are there";
    FileFailed = "A file could not be uploaded";
    FileUnreadable = "This file cannot be read. It was moved or changed after it was chosen, or it is a folder";
    NoFolders = "A folder cannot be sent. Please choose the files in it, or pack it into one file";
    Download = "Download";
    Picture = "Picture";
    ShowPicture = "Show picture {name}";
    PreviousPicture = "Previous picture";
    NextPicture = "Next picture";
    EditingMessage = "Editing your message";
    Emoji = "Emoji";
    SearchEmoji = "Find an emoji";
    NoEmoji = "No emoji by this name";
    SkinTone = "Skin tone";

    // A new message.
    PickSomebody = "Pick somebody to write to";
    PickPeople = "Pick one person, or several for a group";
    ChosenPeople = "Chosen people";
    FindPeople = "Find people by name";
    LookingForPeople = "Looking for people…";
    PeopleList = "People";
    Nobody = "Nobody by this name. Others appear here once they have signed up.";
    Remove = "Remove {name}";

    // Invitations into groups, and the way back.
    GroupRequests = "Invitations";
    InvitesYouTo = "{name} invites you to {title}";
    InvitesYou = "{name} invites you to a group";
    Decline = "Decline";
    Invited = "Invited: {names}. They are members once they join.";
    YouLeft = "You left this conversation.";
    ComeBack = "Come back";

    // Getting around.
    GoTo = "Go to";
    GoToHint = "A conversation or a person";
    NothingFound = "Nothing by this name";
    Shortcuts = "Keyboard shortcuts";
    NewLine = "New line";
    EditLast = "Edit the last message (with nothing written)";
    MoveInMessages = "Move between messages";
    CopyEither = "Copy text, copy link";

    // Settings.
    Settings = "Settings";
    Appearance = "Appearance";
    Theme = "Theme";
    ThemeSystem = "As the system";
    ThemeLight = "Light";
    ThemeDark = "Dark";
    ThemeContrast = "High contrast";
    Density = "Spacing";
    DensityComfortable = "Comfortable";
    DensityCompact = "Compact";
    FontSize = "Text size";
    SizeNormal = "Normal";
    SizeSmall = "Small";
    SizeLarge = "Large";
    SizeHuge = "Very large";
    Language = "Language";
    Profile = "Profile";
    CurrentPassword = "Current password";
    ForEmailOnly = "Needed for another e-mail address.";
    Saved = "Saved.";
    ChangePassword = "Change password";
    NewPassword = "New password";
    EndsOthers = "At least 10 characters. All other devices are signed out.";
    Devices = "Devices";
    ThisDevice = "This device";
    LastSeen = "Last seen {time}";
    NoDevices = "No devices";
    Tokens = "Tokens for programs";
    TokensLead = "A token lets a program read and write as you. It manages nothing else.";
    NoTokens = "No tokens yet.";
    NeverUsed = "Never used";
    TokenEnds = "Ends {time}";
    TokenName = "What it is for";
    CreateToken = "Create token";
    TokenShownOnce = "This is your token. It is shown only now: keep it where others cannot read it.";
    DeleteAccount = "Delete account";
    DeletionLead = "Your name, address and password are deleted for good. What you wrote stays, without your name.";

    // What the server refuses, by its code.
    RefusedSignIn = "The address or the password is not right.";
    RefusedUnauthenticated = "You are signed out. Please sign in again.";
    RefusedForbidden = "You may not do this.";
    RefusedNotFound = "It is not there, or not yours to see.";
    RefusedConflict = "It contradicts what is already there.";
    RefusedInvitation = "One of these people cannot be invited just now. Write to them first, or leave them out.";
    RefusedGone = "This account is deleted: nobody would get the message.";
    RefusedMembers = "Others are here than when this was written. Try again, and it goes to those who are here now.";
    RefusedAddressTaken = "There is an account with this address already.";
    RefusedTooLarge = "It is too large.";
    RefusedUnclean = "It may tell where and when it was taken.";
    RefusedRateLimited = "one:That was too fast. Please wait {n} second|other:That was too fast. Please wait {n} seconds";
    RefusedOverloaded = "The server has too much to do. Please try again in a moment.";
    RefusedStorageFull = "The server's disk is full. Nothing can be stored until there is room again.";
    RefusedQuota = "Your files have no room left. Delete messages with files you do not need.";
    RefusedReserve = "The server's disk is nearly full: it takes no files for now, but messages are sent.";
    RefusedInternal = "Something went wrong on the server. Please try again.";
    RefusedEmpty = "There is nothing to be read in it.";
    RefusedTooLong = "The text is too long.";
    RefusedReference = "The message it is about cannot be found.";
    RefusedEmail = "That is not an e-mail address.";
    RefusedName = "Please choose another name: 1 to 64 characters, all of them visible.";
    RefusedPassword = "Please choose another password: at least 10 characters, and not easy to guess.";
    RefusedOther = "That did not work ({code}).";
}
