//! Commands that come twice, late, changed, on another connection, after a restart.

use super::dice::Dice;
use crate::support::{Person, Server, Socket, new_id};
use serde_json::{Value, json};
use shared::frame::ServerFrame;
use shared::ids::CommandId;
use std::collections::HashMap;

/// What is known of one command.
struct Command {
    id: CommandId,
    content: String,
    /// The first answer.
    answer: Option<Value>,
}

struct Client {
    person: Person,
    socket: Socket,
    commands: Vec<Command>,
    wrong: Vec<String>,
}

impl Client {
    async fn send(&mut self, place: usize, content: Option<&str>) {
        let command = &self.commands[place];
        let content = content.unwrap_or(&command.content);
        let frame = json!({"type": "send", "id": command.id, "to": "everyone", "content": content});
        self.socket.send(frame).await;
    }

    /// Takes what has arrived up to now. An answer for the second time is the first one again.
    async fn listen(&mut self) {
        for frame in self.socket.sees().await {
            let (id, answer) = match &frame {
                ServerFrame::Accepted(accepted) => (accepted.id, serde_json::to_value(accepted).unwrap()),
                ServerFrame::Rejected(rejected) => {
                    if rejected.rejection.code.to_string() != "conflict" {
                        self.wrong.push(format!("{rejected:?}"));
                    }
                    continue;
                }
                _ => continue,
            };
            // An id that was given up is nobody's.
            let Some(command) = self.commands.iter_mut().find(|command| command.id == id) else { continue };
            match &command.answer {
                Some(first) if *first != answer => self.wrong.push(format!("{first} and then {answer}")),
                _ => command.answer = Some(answer),
            }
        }
    }

    /// Waits for the answer to a command.
    async fn answered(&mut self, place: usize) {
        while self.commands[place].answer.is_none() {
            self.send(place, None).await;
            self.listen().await;
        }
    }

    /// The same id for something else is refused.
    async fn conflicts(&mut self, place: usize) {
        self.answered(place).await;
        let id = self.commands[place].id;
        self.send(place, Some("something else")).await;
        let code = loop {
            match self.socket.next().await {
                ServerFrame::Rejected(rejected) if rejected.id == id => break rejected.rejection.code.to_string(),
                // The answer to an earlier retry may still come.
                _ => {}
            }
        };
        if code != "conflict" {
            self.wrong.push(format!("another body was {code}"));
        }
    }
}

/// Sends, retries, reconnects and restarts at random, and says what was wrong. With `forgets_ids`, the
/// client retries under new ids.
async fn interleave(steps: usize, forgets_ids: bool) -> Vec<String> {
    let mut dice = Dice::new();
    let mut server = Server::start();
    let mut clients = Vec::new();
    for name in ["Ada", "Ben"] {
        let person = server.sign_up(name).await;
        let socket = person.connect().await;
        clients.push(Client { person, socket, commands: Vec::new(), wrong: Vec::new() });
    }
    for _ in 0..steps {
        let which = dice.below(clients.len());
        let client = &mut clients[which];
        let known = client.commands.len();
        match dice.below(40) {
            0 => {
                server = server.restart(&["--rate-limits", "off"]);
                for client in &mut clients {
                    client.person.moved_to(&server.origin);
                    client.socket = client.person.connect().await;
                }
            }
            1..=4 => client.socket = client.person.connect().await,
            5..=9 => client.listen().await,
            10..=22 if known > 0 => {
                let place = dice.below(known);
                if forgets_ids {
                    client.commands[place].id = new_id();
                    client.commands[place].answer = None;
                }
                client.send(place, None).await;
            }
            23..=25 if known > 0 && !forgets_ids => client.conflicts(dice.below(known)).await,
            _ => {
                client.commands.push(Command { id: new_id(), content: format!("{which}/{known}"), answer: None });
                client.send(known, None).await;
            }
        }
    }
    let mut wrong = Vec::new();
    let mut expected = HashMap::new();
    for client in &mut clients {
        for place in 0..client.commands.len() {
            client.answered(place).await;
        }
        wrong.append(&mut client.wrong);
        for command in &client.commands {
            expected.insert(command.content.clone(), command.answer.clone().unwrap()["seq"].clone());
        }
    }
    let everyone = clients[0].person.connect().await.welcome.unwrap().conversations[0].id;
    let log = clients[0].person.log(everyone).await;
    if log.len() != expected.len() {
        wrong.push(format!("{} messages were written and {} are stored", expected.len(), log.len()));
    }
    for event in log {
        let content = event["kind"]["message"]["content"].as_str().unwrap();
        if expected.get(content) != Some(&event["seq"]) {
            wrong.push(format!("{content} is stored as {} and was answered {:?}", event["seq"], expected.get(content)));
        }
    }
    wrong
}

#[tokio::test]
async fn whatever_comes_twice_is_stored_once_and_answered_the_same() {
    assert_eq!(interleave(600, false).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_client_that_retries_under_new_ids_is_caught() {
    // The control of the test above.
    assert_ne!(interleave(100, true).await, Vec::<String>::new());
}
