use super::*;
use crate::clock;

fn people<const N: usize>() -> [Turn; N] {
    std::array::from_fn(|_| Turn::Person(clock::id(UserId::v7)))
}

fn all<T>(turns: &mut Turns<T>) -> Vec<T> {
    let mut taken = Vec::new();
    while turns.take(&mut taken, usize::MAX) > 0 {}
    taken
}

#[test]
fn people_take_turns_and_each_persons_jobs_stay_in_order() {
    let [ada, ben] = people();
    let mut turns = Turns::new(100);
    for (turn, job) in [(ada, "a1"), (ada, "a2"), (ada, "a3"), (ben, "b1"), (Turn::Program, "p1"), (ben, "b2")] {
        turns.push(turn, Weight::WHOLE_TURN, job).expect("room");
    }
    assert_eq!(all(&mut turns), ["a1", "b1", "p1", "a2", "b2", "a3"]);
    assert!(turns.people.is_empty(), "nobody is remembered who has nothing here");
}

#[test]
fn a_flood_holds_up_somebody_else_by_one_turn() {
    let [ada, ben] = people();
    let mut turns = Turns::new(4_000);
    for _ in 0..1_000 {
        turns.push(ada, Weight::WHOLE_TURN, "flood").expect("room");
    }
    // In the middle of it, too.
    let mut taken = Vec::new();
    turns.take(&mut taken, 10);
    for _ in 0..2 {
        turns.push(ben, Weight::WHOLE_TURN, "ben").expect("room");
    }
    let order = all(&mut turns);
    let places: Vec<_> = (0..order.len()).filter(|place| order[*place] == "ben").collect();
    assert_eq!((places, order.len()), (vec![0, 2], 992));
}

#[test]
fn light_jobs_share_a_turn_up_to_its_units_and_stay_in_order() {
    let [ada, ben] = people();
    let mut turns = Turns::new(1_000);
    for job in 0..20 {
        turns.push(ada, Weight::units(1), job).expect("room");
    }
    turns.push(ada, Weight::WHOLE_TURN, 20).expect("room");
    turns.push(ada, Weight::units(1), 21).expect("room");
    turns.push(ben, Weight::units(TURN as usize), 100).expect("room");
    turns.push(ben, Weight::units(1), 101).expect("room");
    let order = all(&mut turns);
    let units = (0..TURN as i32).collect::<Vec<_>>();
    assert_eq!(order[..16], units, "sixteen of one unit are one turn");
    assert_eq!(order[16..], [100, 16, 17, 18, 19, 101, 20, 21], "a whole turn is shared with nothing");
}

#[test]
fn a_weight_is_from_one_unit_to_a_whole_turn() {
    assert_eq!([0, 1, 16, 17, usize::MAX].map(|units| Weight::units(units).0), [1, 1, 16, 16, 16]);
}

#[test]
fn what_is_last_comes_after_everything_before_it_and_waits_for_no_flood_after_it() {
    let [ada, ben] = people();
    let mut turns = Turns::new(100);
    turns.push(Turn::Last, Weight::WHOLE_TURN, "first of all").expect("room");
    for job in ["a1", "a2", "a3"] {
        turns.push(ada, Weight::WHOLE_TURN, job).expect("room");
    }
    turns.push(ben, Weight::WHOLE_TURN, "b1").expect("room");
    turns.push(Turn::Last, Weight::WHOLE_TURN, "flush").expect("room");
    for job in ["b2", "b3", "b4"] {
        turns.push(ben, Weight::WHOLE_TURN, job).expect("room");
    }
    assert_eq!(all(&mut turns), ["first of all", "a1", "b1", "a2", "b2", "a3", "flush", "b3", "b4"]);
}

#[test]
fn a_full_queue_refuses_and_a_person_may_fill_a_quarter() {
    let [ada, ben, cy, dan, eve] = people();
    let mut turns = Turns::new(8);
    assert_eq!([(); 3].map(|()| turns.push(ada, Weight::WHOLE_TURN, ())), [Ok(()), Ok(()), Err(())], "two of eight");
    for turn in [ben, cy, dan] {
        assert_eq!([(); 2].map(|()| turns.push(turn, Weight::WHOLE_TURN, ())), [Ok(()); 2]);
    }
    assert_eq!(
        [eve, Turn::Program, Turn::Last].map(|turn| turns.push(turn, Weight::WHOLE_TURN, ())),
        [Err(()); 3],
        "eight of eight"
    );
    let mut taken = Vec::new();
    assert_eq!(turns.take(&mut taken, 1), 1);
    assert_eq!(turns.push(eve, Weight::WHOLE_TURN, ()), Ok(()));
    assert_eq!(all(&mut turns).len(), 8);
    assert_eq!(turns.push(ada, Weight::WHOLE_TURN, ()), Ok(()));
}

#[test]
fn a_batch_has_a_bound_in_all_and_for_one_person() {
    let [ada, ben] = people();
    let mut turns = Turns::new(1_000);
    for _ in 0..200 {
        turns.push(ada, Weight::WHOLE_TURN, "ada").expect("room");
    }
    let mut batch = Vec::new();
    assert_eq!(turns.take(&mut batch, 1_000), ROUNDS_AT_ONCE);
    assert_eq!(turns.take(&mut batch, 5), 5);
    turns.push(ben, Weight::WHOLE_TURN, "ben").expect("room");
    batch.clear();
    turns.take(&mut batch, 1_000);
    assert_eq!(batch[..2], ["ben", "ada"], "she has had her turn in the round under way");
    assert_eq!(batch.len() + all(&mut turns).len(), 200 + 1 - ROUNDS_AT_ONCE - 5);
}

#[test]
fn a_closed_queue_gives_out_what_it_has_and_takes_nothing() {
    let [ada] = people();
    let (sender, receiver) = channel(8);
    sender.push(ada, Weight::WHOLE_TURN, 1).expect("room");
    sender.close();
    assert!(matches!(sender.push(ada, Weight::WHOLE_TURN, 2), Err(Error::Closed)));
    let mut batch = Vec::new();
    assert_eq!((receiver.take(&mut batch, 8), receiver.take(&mut batch, 8)), (1, 0));
    drop(receiver);
    let (sender, receiver) = channel(8);
    let job = Arc::new(());
    sender.push(ada, Weight::WHOLE_TURN, job.clone()).expect("room");
    drop(receiver);
    assert!(matches!(sender.push(ada, Weight::WHOLE_TURN, job.clone()), Err(Error::Closed)));
    assert_eq!(Arc::strong_count(&job), 1, "what was in it is gone");
}

#[test]
fn a_receiver_that_sleeps_is_woken() {
    let (sender, receiver) = channel(8);
    let taking = std::thread::spawn(move || {
        let mut batch = Vec::new();
        while receiver.take(&mut batch, 8) > 0 {}
        batch
    });
    let [ada] = people();
    for job in 0..100 {
        while sender.push(ada, Weight::WHOLE_TURN, job).is_err() {
            std::thread::yield_now();
        }
    }
    sender.close();
    assert_eq!(taking.join().expect("no panic"), (0..100).collect::<Vec<_>>());
}
