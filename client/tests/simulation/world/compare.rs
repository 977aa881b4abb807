//! What has to be true once everything has come to rest.

use super::World;
use crate::log::Log;
use shared::conversation::{ConversationKind, Summary};
use shared::event::EventKind;
use shared::message::Target;
use std::collections::HashMap;

impl World {
    /// Everybody sees what a fresh load would show, and everything written is stored once.
    pub(super) fn compare(&mut self) -> Result<(), String> {
        self.compare_lists()?;
        self.compare_rows()?;
        self.compare_stored()?;
        self.compare_receipts()
    }

    fn compare_lists(&self) -> Result<(), String> {
        for (index, device) in self.devices.iter().enumerate() {
            for log in &self.server.stored.logs {
                let fresh = log.members.contains_key(&device.user).then(|| log.summary(device.user));
                let Some(shown) = device.list.get(log.id) else {
                    if fresh.is_some() && !device.list.has_more() {
                        return Err(format!("{index} does not know of {}", log.id));
                    }
                    continue;
                };
                let numbers =
                    |summary: &Summary| (summary.last_seq, summary.read_seq, summary.unread, summary.member_count);
                if fresh.as_ref().map(numbers) != Some(numbers(shown)) {
                    return Err(format!("{index} shows {shown:?} instead of {fresh:?}"));
                }
            }
        }
        Ok(())
    }

    fn compare_rows(&mut self) -> Result<(), String> {
        for index in 0..self.devices.len() {
            let ids: Vec<_> = self.devices[index].timelines.keys().copied().collect();
            for id in ids {
                let user = self.devices[index].user;
                let rows = self.server.member_log(id, user).map(Log::rows).unwrap_or_default();
                let shown = self.devices[index].timelines[&id].rows();
                if !rows.ends_with(shown) {
                    return Err(format!("{index} shows\n{shown:#?}\ninstead of the end of\n{rows:#?}"));
                }
                for _ in 0..100 {
                    self.devices[index].older(id);
                    self.grant(index);
                    if self.work_off()? {
                        break;
                    }
                }
                let shown = self.devices[index].timelines[&id].rows();
                if rows != shown {
                    return Err(format!("{index} shows\n{shown:#?}\ninstead of\n{rows:#?}"));
                }
            }
        }
        Ok(())
    }

    fn compare_stored(&self) -> Result<(), String> {
        let mut texts: HashMap<&str, u32> = HashMap::new();
        for event in self.server.stored.logs.iter().flat_map(|log| &log.events) {
            match &event.kind {
                EventKind::Message(message) => *texts.entry(&message.content).or_default() += 1,
                EventKind::Edited(edited) => *texts.entry(&edited.content).or_default() += 1,
                _ => {}
            }
        }
        for (id, (user, content)) in &self.ledger.written {
            let is_given_up = self.ledger.given_up.contains(id);
            let is_replaced = self.ledger.replaced.contains(id);
            let is_stored = self.server.stored.commands.contains_key(&(*user, *id));
            let times = content
                .as_ref()
                .map_or(u32::from(is_stored), |content| texts.get(content.as_str()).copied().unwrap_or_default());
            let is_right = match (is_replaced, is_given_up) {
                (true, _) => times == 0,
                (false, true) => times <= 1,
                (false, false) => times == 1,
            };
            if !is_right {
                return Err(format!("{id} {content:?} is stored {times} times"));
            }
        }
        Ok(())
    }

    /// One message to all who listen, everybody reads everything: everybody knows who has read it.
    fn compare_receipts(&mut self) -> Result<(), String> {
        self.check_receipts(|known, real| known <= real)?;
        // (Reading in the conversation everybody is in is told to nobody.)
        let logs: Vec<_> =
            self.server.stored.logs.iter().filter(|log| log.kind != ConversationKind::Everyone).collect();
        let logs: Vec<_> = logs.iter().map(|log| (log.id, log.members.clone())).collect();
        for (id, members) in &logs {
            let writer = self.devices.iter().position(|device| members.contains_key(&device.user));
            if let Some(writer) = writer {
                self.send(writer, Target::Conversation(*id));
                self.grant(writer);
            }
        }
        self.settle()?;
        for index in 0..self.devices.len() {
            for id in self.devices[index].list.order().to_vec() {
                self.devices[index].read_all(id);
            }
            self.grant(index);
        }
        self.settle()?;
        self.compare_lists()?;
        self.check_receipts(|known, real| known == real)
    }

    fn check_receipts(&self, is_right: impl Fn(u64, u64) -> bool) -> Result<(), String> {
        for (index, device) in self.devices.iter().enumerate() {
            for log in self.server.stored.logs.iter().filter(|log| log.kind != ConversationKind::Everyone) {
                if !log.members.contains_key(&device.user) {
                    continue;
                }
                for (user, position) in log.members.iter().filter(|(user, _)| **user != device.user) {
                    let known = device.receipts.position(log.id, *user);
                    if !is_right(known.read.get(), position.read)
                        || !is_right(known.delivered.get(), position.delivered)
                    {
                        return Err(format!("{index} believes that {user} is at {known:?}, not {position:?}"));
                    }
                }
            }
        }
        Ok(())
    }
}
