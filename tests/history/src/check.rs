//! The promise, searched for a breach: no read that was called after an invalidation of its entry
//! had returned `Ok` may yield a value whose body had started before that invalidation was called.
//! Stale values are no exception. What a process has in its own memory may be older by the coherence
//! bound, but only where another process invalidated it.

use crate::functions::Function;
use crate::history::{Invalidation, ROWS, Read};

/// A read that the promise forbids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) read: Read,
    /// Of those that forbid it, the one that was called last.
    pub(crate) invalidation: Invalidation,
}

/// Breaches of the promise, with a coherence bound of so many nanoseconds.
pub(crate) fn violations(
    reads: &[Read],
    invalidations: &[Invalidation],
    bound: u64,
) -> Vec<Violation> {
    let late = |read: &Read| if read.source.is_memory() { bound } else { 0 };
    let floored: Vec<_> =
        reads.iter().map(|read| (read.called.saturating_sub(late(read)), read)).collect();
    let mut found = search(floored, invalidations.iter());
    let processes = reads.iter().map(|read| read.process).max().unwrap_or(0);
    for process in 0..=processes {
        let own = |read: &&Read| read.process == process && late(read) > 0;
        let reads = reads.iter().filter(own).map(|read| (read.called, read)).collect();
        let invalidations = invalidations.iter().filter(|one| one.process == process);
        found.extend(search(reads, invalidations));
    }
    found.sort_by_key(|Violation { read, .. }| (read.called, read.process, read.returned));
    found.dedup_by_key(|violation| violation.read);
    found
}

/// One pass in the order of time, over reads with the moment from which on what had returned
/// counts: for each entry it is enough to know which of the invalidations that had returned by then
/// was called last.
fn search<'a>(
    mut reads: Vec<(u64, &'a Read)>,
    invalidations: impl Iterator<Item = &'a Invalidation>,
) -> Vec<Violation> {
    reads.sort_unstable_by_key(|(floor, _)| *floor);
    let mut done: Vec<&Invalidation> = invalidations.filter(|one| one.ok).collect();
    done.sort_unstable_by_key(|invalidation| invalidation.returned);
    let mut done = done.into_iter().peekable();
    let mut latest = [[None::<&Invalidation>; ROWS as usize]; Function::ALL.len()];
    let mut found = Vec::new();
    for (floor, read) in reads {
        while let Some(next) = done.next_if(|next| next.returned < floor) {
            for (function, rows) in Function::ALL.iter().zip(&mut latest) {
                for (row, latest) in (0..ROWS).zip(rows) {
                    if next.covers.contains(*function, row)
                        && latest.is_none_or(|latest| latest.called < next.called)
                    {
                        *latest = Some(next);
                    }
                }
            }
        }
        if let Some(invalidation) = latest[read.function as usize][usize::from(read.row)]
            && read.started < invalidation.called
        {
            found.push(Violation { read: *read, invalidation: *invalidation });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Covers, Source};

    fn violations(reads: &[Read], invalidations: &[Invalidation]) -> Vec<Violation> {
        super::violations(reads, invalidations, 100)
    }

    fn read(called: u64, started: u64) -> Read {
        let (function, row, source) = (Function::Plain, 3, Source::Store);
        Read {
            process: 0,
            called,
            returned: called + 5,
            function,
            row,
            source,
            started,
            version: 1,
        }
    }

    fn invalidation(called: u64, returned: u64) -> Invalidation {
        let covers = Covers::of(&[Function::Plain], Some(3));
        Invalidation { process: 1, called, returned, ok: true, covers, version: 2 }
    }

    #[test]
    fn a_value_from_before_the_invalidation_is_a_violation() {
        let (read, invalidation) = (read(30, 5), invalidation(10, 20));
        let found = violations(&[read], &[invalidation]);
        assert_eq!(found, [Violation { read, invalidation }]);
    }

    #[test]
    fn a_stale_one_is_no_less() {
        let read = Read { source: Source::Stale, ..read(30, 5) };
        assert_eq!(violations(&[read], &[invalidation(10, 20)]).len(), 1);
    }

    #[test]
    fn what_overlaps_the_invalidation_may_be_either() {
        let invalidation = invalidation(10, 20);
        // Called before it returned, or as it did; or made by a body that started since its call.
        for read in [read(15, 5), read(20, 5), read(30, 10), read(30, 15), read(5, 1)] {
            assert_eq!(violations(&[read], &[invalidation]), [], "{read:?}");
        }
    }

    #[test]
    fn what_failed_promises_nothing() {
        let failed = Invalidation { ok: false, ..invalidation(10, 20) };
        assert_eq!(violations(&[read(30, 5)], &[failed]), []);
    }

    #[test]
    fn an_invalidation_counts_for_what_it_covers() {
        let covering = |functions: &[Function], row| {
            let invalidation =
                Invalidation { covers: Covers::of(functions, row), ..invalidation(10, 20) };
            violations(&[read(30, 5)], &[invalidation]).len()
        };
        assert_eq!(covering(&[Function::Plain], Some(2)), 0);
        assert_eq!(covering(&[Function::Tagged, Function::Naive], None), 0);
        assert_eq!(covering(&[Function::Tagged, Function::Plain], None), 1);
        assert_eq!(covering(&[Function::Plain], Some(3)), 1);
    }

    #[test]
    fn of_several_the_one_called_last_decides_however_they_returned() {
        // Called at 40, and back before the one that was called at 10.
        let (slow, quick) = (invalidation(10, 60), invalidation(40, 50));
        let late = read(70, 30);
        let found = violations(&[late, read(55, 45)], &[slow, quick]);
        assert_eq!(found, [Violation { read: late, invalidation: quick }]);
    }

    #[test]
    fn the_order_of_the_logs_does_not_matter() {
        let reads = [read(100, 90), read(30, 5), read(25, 12), read(35, 9)];
        let found = violations(&reads, &[invalidation(80, 85), invalidation(10, 20)]);
        let called: Vec<_> = found.iter().map(|violation| violation.read.called).collect();
        assert_eq!(called, [30, 35]);
    }

    #[test]
    fn what_comes_from_memory_may_be_older_by_the_bound_where_another_process_invalidated_it() {
        let memory = [Source::Local, Source::Untold];
        let own = Invalidation { process: 0, ..invalidation(10, 20) };
        let times = [(20, 0, 0), (21, 0, 1), (120, 0, 1), (121, 1, 1)];
        let cases = times.into_iter().flat_map(|time| memory.map(|source| (time, source)));
        for ((called, other, same), source) in cases {
            let read = Read { source, ..read(called, 5) };
            assert_eq!(violations(&[read], &[invalidation(10, 20)]).len(), other, "{called}");
            assert_eq!(violations(&[read], &[own]).len(), same, "{called}");
            assert_eq!(violations(&[read], &[own, invalidation(10, 20)]).len(), same, "{called}");
        }
    }
}
