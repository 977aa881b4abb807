//! Every call, in the order of the routes. A route without an entry here fails a test.

use super::operation::Operation;
use super::operation::Who::{Anybody, Browser, SignedIn};
use serde_json::json;
use shared::account::{
    ChangeAccount, CreateToken, CreatedToken, DeleteAccount, SessionBody, SessionList, SignIn, SignUp, TokenList,
    UserList,
};
use shared::attachment::AttachmentBody;
use shared::conversation::{
    ChangeConversation, ChangeMember, ChangePreferences, ChannelList, ConversationBody, ConversationList,
    CreateConversation, EventList, MemberList,
};
use shared::group_request::{AskedBody, DepartureBody, GroupRequestList, MadeBody};
use shared::ids::{AttachmentId, ConversationId, Cursor, SessionId, Timestamp, TokenId, UserId};
use shared::limits::{PAGE_DEFAULT, PAGE_MAX, SEARCH_SKIP_MAX};
use shared::message::{Accepted, PostMessage};
use shared::push::{PushKey, PushSubscription};
use shared::receipt::ReceiptList;
use shared::schema::Definitions;
use shared::search::SearchResults;

/// The parts of the document.
pub(super) const TAGS: &[(&str, &str)] = &[
    ("account", "One's own account."),
    ("session", "Signing in and out, and the devices that are signed in."),
    ("token", "Tokens for bots and command-line programs."),
    ("people", "Finding people."),
    ("conversation", "Conversations, their members, what was said."),
    ("file", "Files that messages carry."),
    ("push", "Being told while the page is closed."),
    ("socket", "Live conversations."),
    ("server", "The server itself."),
];

pub(super) fn table(types: &mut Definitions) -> Vec<Operation> {
    let limit = || json!({"type": "integer", "default": PAGE_DEFAULT});
    let limit_text = format!("How many; less than 1 counts as 1, more than {PAGE_MAX} as {PAGE_MAX}.");
    let limit_text = limit_text.as_str();
    let conversation = types.read::<ConversationId>();
    let conversation = || conversation.clone();
    vec![
        Operation::new("account", Anybody, ("POST", "/api/accounts"), "createAccount", "Sign up")
            .about("Makes an account and signs it in. 409: the address is taken.")
            .reads(types.read::<SignUp>())
            .answers(201, "The account, signed in.", types.written::<SessionBody>())
            .sets_cookie()
            .refused(&[409, 429]),
        Operation::new("account", Browser, ("PATCH", "/api/account"), "changeAccount", "Change name, picture, status, privacy, address or password")
            .about(
                "What is left out stays. Another address or password needs the password as it is; another password \
                 ends every other session and token. A picture is uploaded first. 403: the password is wrong. 409: the address is taken.",
            )
            .reads(types.read::<ChangeAccount>())
            .answers(200, "The account as it is now.", types.written::<SessionBody>())
            .sets_cookie()
            .refused(&[409, 429]),
        Operation::new("account", Browser, ("DELETE", "/api/account"), "deleteAccount", "Delete the account")
            .about(
                "Leaves all groups and channels, signs out everywhere, forgets name and address. What was written \
                 stays. 403: the password is wrong.",
            )
            .reads(types.read::<DeleteAccount>())
            .answers_nothing(204, "It is deleted.")
            .sets_cookie()
            .refused(&[429]),
        Operation::new("session", Anybody, ("POST", "/api/session"), "signIn", "Sign in")
            .about("401: the address or the password is wrong; the answer does not tell which.")
            .reads(types.read::<SignIn>())
            .answers(200, "Signed in.", types.written::<SessionBody>())
            .sets_cookie()
            .refused(&[401, 429]),
        Operation::new("session", SignedIn, ("GET", "/api/session"), "showSession", "Who is signed in")
            .answers(200, "Oneself; with the address, unless a token asks.", types.written::<SessionBody>()),
        Operation::new("session", Browser, ("DELETE", "/api/session"), "signOut", "Sign out")
            .about("The session's sockets are closed with 4401.")
            .answers_nothing(204, "Signed out.")
            .sets_cookie(),
        Operation::new("session", Browser, ("GET", "/api/sessions"), "listSessions", "The devices that are signed in")
            .answers(200, "One's own, those used last first.", types.written::<SessionList>()),
        Operation::new("session", Browser, ("DELETE", "/api/sessions/{id}"), "endSession", "Sign a device out")
            .about("Its sockets are closed with 4401.")
            .path("id", "Which.", types.read::<SessionId>())
            .answers_nothing(204, "It is signed out."),
        Operation::new("token", Browser, ("POST", "/api/tokens"), "createToken", "Make a token")
            .about(
                "Its secret is in this answer and nowhere else. 403: the password is wrong. 409: there are too many \
                 tokens.",
            )
            .reads(types.read::<CreateToken>())
            .answers(201, "The token, with its secret.", types.written::<CreatedToken>())
            .refused(&[409, 429]),
        Operation::new("token", Browser, ("GET", "/api/tokens"), "listTokens", "The tokens there are")
            .answers(200, "One's own, newest first.", types.written::<TokenList>()),
        Operation::new("token", Browser, ("DELETE", "/api/tokens/{id}"), "endToken", "End a token")
            .about("Its sockets are closed with 4401.")
            .path("id", "Which.", types.read::<TokenId>())
            .answers_nothing(204, "It has ended."),
        Operation::new("people", SignedIn, ("GET", "/api/users"), "listUsers", "Find people")
            .query("search", "How a word of the name starts.", json!({"type": "string"}))
            .query(
                "ids",
                "These people, as far as they exist; search and limit do not count then.",
                json!({"type": "array", "items": types.read::<UserId>(), "maxItems": PAGE_MAX}),
            )
            .query("limit", limit_text, limit())
            .answers(200, "People, by name.", types.written::<UserList>()),
        Operation::new("conversation", SignedIn, ("GET", "/api/conversations"), "listConversations", "One's conversations")
            .query("before", "Those that come after this one in the list.", conversation())
            .query("limit", limit_text, limit())
            .answers(200, "Most recent first.", types.written::<ConversationList>()),
        Operation::new(
            "conversation",
            SignedIn,
            ("POST", "/api/conversations"),
            "createConversation",
            "Make a group or a channel",
        )
        .about(
            "A channel needs a name. One is a member oneself, and the owner. Each call makes a new one. Where the \
             server's settings say so, people with whom one has never talked are asked first. 409: one of them may not be.",
        )
        .reads(types.read::<CreateConversation>())
        .answers(201, "The new conversation, and who is asked.", types.written::<MadeBody>())
        .refused(&[409, 429]),
        Operation::new(
            "conversation",
            SignedIn,
            ("GET", "/api/conversations/{id}"),
            "showConversation",
            "How a conversation stands",
        )
        .path("id", "Which.", conversation())
        .answers(200, "The conversation.", types.written::<ConversationBody>()),
        Operation::new(
            "conversation",
            SignedIn,
            ("PATCH", "/api/conversations/{id}"),
            "changeConversation",
            "Give a group or channel another name or topic",
        )
        .about(
            "What is left out stays. Any member gives a name and a topic; owners and moderators open a channel to \
             everybody, or close it. 409: that is fixed.",
        )
        .path("id", "Which.", conversation())
        .reads(types.read::<ChangeConversation>())
        .answers(200, "The conversation as it is now.", types.written::<ConversationBody>())
        .refused(&[409, 429]),
        Operation::new(
            "conversation",
            SignedIn,
            ("PATCH", "/api/conversations/{id}/preferences"),
            "changePreferences",
            "Pin, archive, mark as unread, be told of",
        )
        .about("What one wants of a conversation, for oneself alone. What is left out stays.")
        .path("id", "Which.", conversation())
        .reads(types.read::<ChangePreferences>())
        .answers(200, "The conversation as it is now.", types.written::<ConversationBody>())
        .refused(&[429]),
        Operation::new(
            "conversation",
            SignedIn,
            ("GET", "/api/conversations/{id}/members"),
            "listMembers",
            "Who is in a conversation",
        )
        .path("id", "Which.", conversation())
        .query("search", "How a word of the name starts.", json!({"type": "string"}))
        .query("skip", "How many of them are not wanted again.", json!({"type": "integer", "minimum": 0}))
        .query("limit", limit_text, limit())
        .answers(200, "People with their roles, by name.", types.written::<MemberList>()),
        Operation::new(
            "conversation",
            SignedIn,
            ("PUT", "/api/conversations/{id}/members/{user}"),
            "addMember",
            "Bring somebody in",
        )
        .about(
            "Any member may; oneself one brings into a public channel, to where one is asked, and back to what one has \
             left. Where the server's settings say so, a person with whom one has never talked is asked first. 404: the \
             conversation or the person is not there. 409: its members are fixed, or too many, or the person has left or \
             may not be asked.",
        )
        .path("id", "Which conversation.", conversation())
        .path("user", "Whom.", types.read::<UserId>())
        .answers_nothing(204, "They are a member.")
        .answers(202, "They are no member, and have a request.", types.written::<AskedBody>())
        .refused(&[409, 429]),
        Operation::new(
            "conversation",
            SignedIn,
            ("PATCH", "/api/conversations/{id}/members/{user}"),
            "changeMember",
            "Give somebody another role",
        )
        .about("An owner may, to others. 409: it is one's own role, or the conversation has none.")
        .path("id", "Which conversation.", conversation())
        .path("user", "Whose.", types.read::<UserId>())
        .reads(types.read::<ChangeMember>())
        .answers_nothing(204, "They have it.")
        .refused(&[409, 429]),
        Operation::new(
            "conversation",
            SignedIn,
            ("DELETE", "/api/conversations/{id}/members/{user}"),
            "removeMember",
            "Leave, or send somebody away",
        )
        .about(
            "Anybody leaves; owners and moderators send others away, but no owner, and keep somebody who has left from \
             coming back. 409: its members are fixed.",
        )
        .path("id", "Which conversation.", conversation())
        .path("user", "Whom.", types.read::<UserId>())
        .answers_nothing(204, "They are no member any more.")
        .refused(&[409, 429]),
        Operation::new(
            "conversation",
            SignedIn,
            ("GET", "/api/conversations/{id}/receipts"),
            "listReceipts",
            "How far the others are",
        )
        .about("Whoever has come nowhere yet is left out; for the conversation with everyone the list is empty.")
        .path("id", "Which conversation.", conversation())
        .answers(200, "How far they have received and read it.", types.written::<ReceiptList>()),
        Operation::new(
            "conversation",
            SignedIn,
            ("GET", "/api/conversations/{id}/departure"),
            "showDeparture",
            "Whether one has left a conversation and may come back",
        )
        .about("One comes back by adding oneself to the members. 404: one has not left it, or may not come back.")
        .path("id", "Which conversation.", conversation())
        .answers(200, "One may come back.", types.written::<DepartureBody>()),
        Operation::new(
            "conversation",
            SignedIn,
            ("GET", "/api/conversations/{id}/events"),
            "listEvents",
            "What was said and done",
        )
        .about("Give one of before, after, around and at, or none for the newest. Reactions are folded into their messages.")
        .path("id", "Which conversation.", conversation())
        .query("before", "Events before this one.", types.read::<Cursor>())
        .query("after", "Events after this one.", types.read::<Cursor>())
        .query("around", "This event and those on both sides of it.", types.read::<Cursor>())
        .query("at", "Events from this moment on, in milliseconds since 1970.", types.read::<Timestamp>())
        .query("limit", limit_text, limit())
        .answers(200, "In the order of seq.", types.written::<EventList>()),
        Operation::new(
            "conversation",
            SignedIn,
            ("POST", "/api/conversations/{id}/messages"),
            "sendMessage",
            "Send a message",
        )
        .about("Sent again with the same id it is stored once. 409: the id was used for another command.")
        .path("id", "Which conversation.", conversation())
        .reads(types.read::<PostMessage>())
        .answers(201, "It is stored.", types.written::<Accepted>())
        .answers(200, "It had been stored before, like this.", types.written::<Accepted>())
        .refused(&[409, 429]),
        Operation::new(
            "conversation",
            SignedIn,
            ("GET", "/api/group-requests"),
            "listGroupRequests",
            "Groups into which one is asked",
        )
        .about("One joins by adding oneself to the members.")
        .answers(200, "The newest first.", types.written::<GroupRequestList>()),
        Operation::new(
            "conversation",
            SignedIn,
            ("DELETE", "/api/group-requests/{id}"),
            "declineGroupRequest",
            "Decline to come into a group",
        )
        .about("Neither who asked nor the conversation asks again.")
        .path("id", "Which conversation.", conversation())
        .answers_nothing(204, "It is declined.")
        .refused(&[429]),
        Operation::new("conversation", SignedIn, ("GET", "/api/channels"), "listChannels", "Channels everybody may join")
            .about("One joins by adding oneself to the members.")
            .query("search", "How a word of the name starts.", json!({"type": "string"}))
            .query("skip", "So many are not told again.", json!({"type": "integer", "minimum": 0, "default": 0}))
            .query("limit", limit_text, limit())
            .answers(200, "Channels, by name.", types.written::<ChannelList>()),
        Operation::new("file", SignedIn, ("POST", "/api/attachments"), "uploadAttachment", "Upload a file")
            .about(
                "The body is the file, whatever its Content-Type says: what it is, its first bytes say. A message then \
                 names it; what no message names goes after a day. Pictures, films and sounds lose what cameras write into \
                 them; one of which the server cannot take that out is refused as `unclean_file`.",
            )
            .query("name", "What it is called.", json!({"type": "string"}))
            .query(
                "unclean",
                "Whether it is sent as it is if the server cannot take out what a camera wrote.",
                json!({"type": "boolean", "default": false}),
            )
            .reads_bytes()
            .answers(201, "It is stored.", types.written::<AttachmentBody>())
            .refused(&[429]),
        Operation::new("file", SignedIn, ("GET", "/api/attachments/{id}"), "showAttachment", "A file")
            .about("One's own that was not sent, and those of messages one may read. Parts of it with Range.")
            .path("id", "Which.", types.read::<AttachmentId>())
            .answers_bytes(200, "The file.")
            .answers_bytes(206, "The part that was asked for.")
            .refused(&[416]),
        Operation::new("file", SignedIn, ("DELETE", "/api/attachments/{id}"), "deleteAttachment", "Take a file back")
            .about("One of one's own that no message has.")
            .path("id", "Which.", types.read::<AttachmentId>())
            .answers_nothing(204, "It is gone."),
        Operation::new(
            "file",
            SignedIn,
            ("GET", "/api/attachments/{id}/thumbnail"),
            "showThumbnail",
            "The small form of a picture",
        )
        .about("At most 800 pixels wide and high, as JPEG or PNG.")
        .path("id", "Which.", types.read::<AttachmentId>())
        .answers_bytes(200, "The small picture."),
        Operation::new("push", Browser, ("GET", "/api/push"), "showPushKey", "What a browser subscribes with")
            .answers(200, "The key to subscribe with at the browser's push service (RFC 8292).", types.written::<PushKey>()),
        Operation::new("push", Browser, ("PUT", "/api/push"), "subscribe", "Be told while the page is closed")
            .about(
                "In place of what this session's browser had, and whoever had this browser. It ends with the session. \
                 Only push services that the server knows are taken.",
            )
            .reads(types.read::<PushSubscription>())
            .answers_nothing(204, "It is told from now on."),
        Operation::new("push", Browser, ("DELETE", "/api/push"), "unsubscribe", "Be told no more")
            .answers_nothing(204, "It is told no more."),
        Operation::new("conversation", SignedIn, ("GET", "/api/search"), "searchMessages", "Find messages")
            .about(
                "Words, \"words that stand together\", from:name, in:name, before:2026-11-26, after:2026-11-26, \
                 has:file, has:link. All of them have to hold.",
            )
            .query("query", "What to look for.", json!({"type": "string"}))
            .query("conversation", "Only there.", conversation())
            .query("before", "Only what was written before; the time of the last one of the page before.", types.read::<Timestamp>())
            .query(
                "skip",
                "How many of the newest are left out: leads through more messages of one time than a page has.",
                json!({"type": "integer", "minimum": 0, "maximum": SEARCH_SKIP_MAX, "default": 0}),
            )
            .query("limit", limit_text, limit())
            .answers(200, "Messages one may read, the newest first.", types.written::<SearchResults>()),
        Operation::new("server", Anybody, ("GET", "/api/openapi.json"), "showOpenapi", "This document")
            .answers(200, "OpenAPI 3.1.", json!({"type": "object"})),
        Operation::new("server", Anybody, ("GET", "/api/socket.json"), "showSocketSchema", "The frames of the socket")
            .answers(200, "JSON Schema, draft 2020-12.", json!({"type": "object"})),
        Operation::new("socket", SignedIn, ("GET", "/ws"), "openSocket", "Open a socket")
            .about("A WebSocket handshake (RFC 6455); the subprotocol is chat.v1, if one is offered.")
            .answers_nothing(101, "The socket is open; the server speaks first.")
            .refused(&[400, 403, 426]),
        Operation::new("server", Anybody, ("GET", "/healthz"), "showHealth", "Whether the server lives")
            .answers_text("It does."),
        Operation::new("server", Anybody, ("GET", "/readyz"), "showReadiness", "Whether the server can take work")
            .answers_text("It can.")
            .refused(&[500, 503]),
    ]
}
