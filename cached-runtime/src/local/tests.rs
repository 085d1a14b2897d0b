use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn function() -> &'static Function {
    Function::by_hand::<String>()
}

/// An entry of the tests: its key says whose it is.
#[derive(Clone, Copy)]
struct Entry<'a> {
    key: &'a str,
    owner: Owner,
    tags: &'a [String],
}

fn entry(key: &str) -> Entry<'_> {
    Entry { key, owner: Owner { function: 1, arguments: key.len() as u64 }, tags: &[] }
}

fn value(text: &str) -> Option<Kept> {
    Some(Arc::new(text.to_owned()))
}

fn read(entry: Entry<'_>, text: &str, good_for: Duration) -> Read {
    Read { owner: entry.owner, kept: value(text), bytes: text.len(), good_for, age: None }
}

fn keep(local: &Local, ticket: Ticket, entry: Entry<'_>, text: &str) {
    local.keep(ticket, entry.key, read(entry, text, HOUR), Arc::default());
}

fn fill(local: &Local, entry: Entry<'_>, text: &str) {
    let ticket = local.ticket(entry.key, entry.tags).unwrap();
    keep(local, ticket, entry, text);
}

/// As a call does: in the thread's own front, then in the tier.
fn find<T>(
    local: &Local,
    Entry { key, owner, tags }: Entry<'_>,
    give: impl Fn(Option<&Kept>, Option<Duration>) -> Option<T>,
) -> Option<T> {
    let mut trace = Trace::new();
    trace.add(key);
    trace.add(&tags.iter().fold(owner.function, |all, tag| all * 31 + tag.len() as u64));
    let wanted = Wanted { owner, key, tags, function: function(), trace: &trace, ttl: None };
    let nearest = local.nearest(function(), &trace, None, |kept| give(kept, None));
    nearest
        .or_else(|| local.nearby(wanted, Arc::default, |slot, age| give(slot.kept.as_ref(), age)))
}

fn hit(local: &Local, entry: Entry<'_>) -> Option<String> {
    find(local, entry, |kept, _| kept?.downcast_ref::<String>().cloned())
}

fn alone() -> Local {
    Local::alone(1 << 20, Clock::manual())
}

/// Twice, since the second comes from the thread's own front.
fn hits(local: &Local, entry: Entry<'_>) -> [Option<String>; 2] {
    [hit(local, entry), hit(local, entry)]
}

fn both(text: &str) -> [Option<String>; 2] {
    [Some(text.to_owned()), Some(text.to_owned())]
}

#[test]
fn what_is_kept_is_served_to_its_owner_alone() {
    let local = alone();
    fill(&local, entry("f:1"), "one");
    assert_eq!(hits(&local, entry("f:1")), both("one"));
    let other = Entry { owner: Owner { function: 2, ..entry("f:1").owner }, ..entry("f:1") };
    assert_eq!(hits(&local, other), [None, None]);
    assert_eq!(hits(&local, entry("f:2")), [None, None]);
    assert_eq!(hits(&alone(), entry("f:1")), [None, None], "another tier's");
}

#[test]
fn a_change_removes_what_is_kept_in_every_thread() {
    let local = alone();
    for change in ["key", "flush"] {
        fill(&local, entry("f:1"), "one");
        let (found, changed) = (AtomicBool::new(false), AtomicBool::new(false));
        let wait = |flag: &AtomicBool| {
            while !flag.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                assert_eq!(hits(&local, entry("f:1")), both("one"));
                found.store(true, Ordering::SeqCst);
                wait(&changed);
                hits(&local, entry("f:1"))
            });
            assert_eq!(hits(&local, entry("f:1")), both("one"));
            wait(&found);
            if change == "key" {
                local.changed("f:1");
            } else {
                local.flush();
            }
            changed.store(true, Ordering::SeqCst);
            assert_eq!(other.join().unwrap(), [None, None], "{change}");
        });
        assert_eq!(hits(&local, entry("f:1")), [None, None], "{change}");
    }
}

#[test]
fn what_changed_since_the_ticket_is_not_kept() {
    let local = alone();
    let changes: [fn(&Local); 3] = [|l| drop(l.changed("f:1")), Local::flush, Local::lost];
    for (at, change) in changes.into_iter().enumerate() {
        let ticket = local.ticket("f:1", &[]).unwrap();
        change(&local);
        keep(&local, ticket, entry("f:1"), "old");
        assert_eq!(hits(&local, entry("f:1")), [None, None], "change {at}");
        assert_eq!(local.entries(), 0);
    }
}

#[test]
fn a_tag_that_changed_ends_its_entries_and_no_others() {
    let local = alone();
    let (users, teams) = (["users".to_owned(), "user:1".to_owned()], ["teams".to_owned()]);
    let tagged = Entry { tags: &users, ..entry("f:1") };
    let other = Entry { tags: &teams, ..entry("f:22") };
    fill(&local, tagged, "one");
    fill(&local, other, "two");
    assert_eq!(hits(&local, tagged), both("one"));
    // A call with other tags is another's: its entry would be valid by these.
    assert_eq!(hits(&local, Entry { tags: &teams, ..tagged }), [None, None]);
    let before = local.ticket("f:1", &users).unwrap();
    local.tag_changed("user:1");
    assert_eq!(hits(&local, tagged), [None, None]);
    assert_eq!(hits(&local, other), both("two"));
    keep(&local, before, tagged, "old");
    assert_eq!(hits(&local, tagged), [None, None]);
}

#[test]
fn a_value_is_served_until_its_deadline() {
    let clock = Clock::manual();
    let local = Local::alone(1 << 20, clock.clone());
    let ticket = local.ticket("f:1", &[]).unwrap();
    clock.advance(Duration::from_secs(4));
    let read = Read { age: Some(HOUR), ..read(entry("f:1"), "one", Duration::from_secs(10)) };
    local.keep(ticket, "f:1", read, Arc::default());
    clock.advance(Duration::from_millis(5_999));
    let age = find(&local, entry("f:1"), |_, age| age).unwrap();
    assert!(age.as_secs_f64() - HOUR.as_secs_f64() > 9.9, "{age:?}");
    assert_eq!(hits(&local, entry("f:1")), both("one"));
    clock.advance(Duration::from_millis(2));
    assert_eq!(hits(&local, entry("f:1")), [None, None]);
}

#[test]
fn nothing_is_kept_or_served_but_within_the_bound_of_the_last_sign() {
    let local = Local::watched(1 << 20, Duration::from_secs(60));
    assert!(local.ticket("f:1", &[]).is_none() && !local.is_coherent());
    local.coherent_at(local.now());
    assert!(local.is_coherent());
    fill(&local, entry("f:1"), "one");
    assert_eq!(hits(&local, entry("f:1")), both("one"));
    // A sign that is older than the bound.
    local.coherent_at(Moment::from_bits(
        local.now().to_bits() - Moment::NEVER.after(HOUR).to_bits().min(local.now().to_bits()),
    ));
    assert_eq!(hits(&local, entry("f:1")), [None, None]);
    assert!(local.ticket("f:1", &[]).is_none() && !local.is_coherent());
    // The link was late and told of no change: what is kept is good again.
    local.coherent_at(local.now());
    assert_eq!(hits(&local, entry("f:1")), both("one"));
    local.lost();
    local.coherent_at(local.now());
    assert_eq!(hits(&local, entry("f:1")), [None, None], "what was missed meanwhile is not known");
}

#[test]
fn bytes_are_bounded_whatever_the_sizes() {
    let local = Local::alone(4 << 20, Clock::manual());
    let counters = Arc::<Counters>::default();
    let mut most = 0;
    for n in 0..20_000_u64 {
        let key = format!("f:{}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 5_000);
        // 16 B to 256 KiB, small ones more often.
        let bytes = 16_usize << (n * n % 15);
        let owner = Owner { function: 1, arguments: n };
        let read = Read { owner, kept: value("x"), bytes, good_for: HOUR, age: None };
        let ticket = local.ticket(&key, &[]).unwrap();
        local.keep(ticket, &key, read, Arc::clone(&counters));
        most = most.max(local.bytes());
    }
    assert!(most <= local.capacity() && most > local.capacity() * 9 / 10, "{most}");
    let stats = counters.snapshot("f");
    assert_eq!((stats.local_bytes, stats.local_entries), (local.bytes(), local.entries() as u64));
    drop(local);
    let stats = counters.snapshot("f");
    assert!(stats.local_entries <= 512, "the thread's front: {}", stats.local_entries);
}

#[test]
fn what_is_used_much_stays_when_others_come() {
    let local = Local::alone(1 << 20, Clock::manual());
    fill(&local, entry("hot"), "hot");
    for n in 0..20_000 {
        fill(&local, entry(&format!("cold:{n}")), "a value that is asked for once");
        if n % 10 == 0 {
            assert!(hit(&local, entry("hot")).is_some(), "after {n}");
        }
    }
}

/// A user's value may do as it likes when it is cloned or dropped.
#[test]
fn values_that_use_the_tier_when_they_are_cloned_or_dropped() {
    struct Nosy(Arc<Local>);
    impl Clone for Nosy {
        fn clone(&self) -> Self {
            fill(&self.0, entry("inner"), "inner");
            assert!(hit(&self.0, entry("inner")).is_some());
            Self(Arc::clone(&self.0))
        }
    }
    impl Drop for Nosy {
        fn drop(&mut self) {
            fill(&self.0, entry("inner"), "inner");
            self.0.changed("inner");
        }
    }
    let local = Arc::new(alone());
    for n in 0..3_000 {
        let key = format!("nosy:{n}");
        let nosy = entry(&key);
        let ticket = local.ticket(&key, &[]).unwrap();
        let kept: Option<Kept> = Some(Arc::new(Nosy(Arc::clone(&local))));
        let read = Read { kept, ..read(nosy, "", HOUR) };
        local.keep(ticket, &key, read, Arc::default());
        let found = find(&local, nosy, |kept, _| kept?.downcast_ref::<Nosy>().cloned());
        assert!(found.is_some());
        drop(found);
        local.changed(&format!("nosy:{}", n / 2));
    }
}

/// Readers, fillers and changes at once: nobody finds what was filled under a ticket from before a
/// change that was made before the look began. The control keeps without the ticket's question.
#[test]
fn no_schedule_brings_back_what_was_changed() {
    let stale = |checked: bool| {
        let local = alone();
        let version = AtomicU64::new(0);
        let stale = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        let mut ticket = local.ticket("f:1", &[]).unwrap();
                        // The store's value now.
                        let read = version.load(Ordering::SeqCst);
                        std::thread::yield_now();
                        if !checked {
                            ticket = local.ticket("f:1", &[]).unwrap();
                        }
                        keep(&local, ticket, entry("f:1"), &read.to_string());
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..20_000 {
                    version.fetch_add(1, Ordering::SeqCst);
                    local.changed("f:1");
                    let floor = version.load(Ordering::SeqCst);
                    std::thread::yield_now();
                    if let Some(found) = hit(&local, entry("f:1"))
                        && found.parse::<u64>().unwrap() < floor
                    {
                        stale.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        });
        stale.into_inner()
    };
    assert_eq!(stale(true), 0);
    assert!(stale(false) > 0, "the control finds nothing");
}

/// More values than two are driven out at once, and each looks into the tier as it goes.
#[test]
fn values_that_use_the_tier_when_they_are_driven_out() {
    struct Nosy(Arc<Local>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            for n in 0..8 {
                drop(self.0.changed(&n.to_string()));
            }
        }
    }
    let local = Arc::new(Local::alone(64 << 10, Clock::manual()));
    let keep = |key: &str, bytes: usize| {
        let ticket = local.ticket(key, &[]).unwrap();
        let kept: Option<Kept> = Some(Arc::new(Nosy(Arc::clone(&local))));
        let read = Read { kept, bytes, ..read(entry(key), "", HOUR) };
        local.keep(ticket, key, read, Arc::default());
    };
    for round in 0..50 {
        for n in 0..400 {
            keep(&format!("small:{round}:{n}"), 1);
        }
        for n in 0..4 {
            keep(&format!("large:{round}:{n}"), 8 << 10);
        }
    }
    assert!(local.bytes() <= local.capacity());
}

#[test]
fn a_shorter_ttl_is_kept_by_who_asks_whoever_kept_the_value() {
    let clock = Clock::manual();
    let local = Local::alone(1 << 20, clock.clone());
    fill(&local, entry("f:1"), "one");
    let found = |ttl: Option<Duration>| {
        let mut trace = Trace::new();
        trace.add("f:1");
        let Entry { key, owner, tags } = entry("f:1");
        let wanted = Wanted { owner, key, tags, function: function(), trace: &trace, ttl };
        local
            .nearest(function(), &trace, ttl, |_| Some(()))
            .or_else(|| local.nearby(wanted, Arc::default, |_, _| Some(())))
            .is_some()
    };
    clock.advance(Duration::from_secs(5));
    for _ in 0..2 {
        assert!(found(None) && found(Some(Duration::from_secs(6))));
        assert!(!found(Some(Duration::from_secs(4))));
    }
}

/// Texts of one length that begin alike: more of them than a thread's first places.
#[test]
fn each_argument_has_its_own_value_however_many_meet() {
    let local = Local::alone(8 << 20, Clock::manual());
    let keys: Vec<String> = (0..2_000).map(|n| format!("they begin alike: {n:04}")).collect();
    for key in &keys {
        fill(&local, entry(key), key);
    }
    for _ in 0..3 {
        for key in &keys {
            assert_eq!(hits(&local, entry(key)), both(key));
        }
    }
}

#[test]
fn a_thread_holds_few_values_of_a_tier_that_is_gone() {
    let counters = Arc::<Counters>::default();
    let local = Local::alone(64 << 20, Clock::manual());
    for n in 0..20_000 {
        let key = format!("f:{n}");
        let read = Read { bytes: 700, ..read(entry(&key), &key, HOUR) };
        local.keep(local.ticket(&key, &[]).unwrap(), &key, read, Arc::clone(&counters));
    }
    for _ in 0..4 {
        for n in 0..20_000 {
            let key = format!("f:{n}");
            let mut trace = Trace::new();
            trace.add(&n);
            let Entry { key, owner, tags } = entry(&key);
            let wanted =
                Wanted { owner, key, tags, function: function(), trace: &trace, ttl: None };
            local.nearby(wanted, || Arc::clone(&counters), |_, _| Some(())).unwrap();
        }
    }
    let all = counters.snapshot("f").local_bytes;
    drop(local);
    let held = counters.snapshot("f").local_bytes;
    assert!(all > 16 << 20 && held > 4 << 20 && held <= 8 << 20, "{held} of {all}");
}

/// As many as a thread remembers the functions of, and more.
#[test]
fn tiers_come_and_go() {
    for n in 0..2_500 {
        let local = alone();
        let text = n.to_string();
        fill(&local, entry("f:1"), &text);
        assert_eq!(hits(&local, entry("f:1")), both(&text));
    }
}
