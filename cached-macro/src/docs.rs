//! The words on a companion's verbs, for who hovers over them in an editor.

/// The documentation of the verbs of the function of this name.
pub(crate) struct Docs {
    pub(crate) name: String,
    /// A tag uses an argument that the key does not.
    pub(crate) tagged_beyond_key: bool,
    /// Each entry carries the function's own tag.
    pub(crate) tagged_as_a_whole: bool,
}

impl Docs {
    pub(crate) fn key(&self) -> String {
        format!(
            "The key of `{}(…)`, relative to the namespace: what `Cache::invalidate_key` takes. \
             Asks for the arguments that the key uses.",
            self.name
        )
    }

    pub(crate) fn invalidate(&self) -> String {
        format!(
            "Removes the entry of `{}(…)`. After `Ok` no process serves a value whose load began \
             before this call.\n\n# Errors\nWhere the store could not be told; the entry may then \
             still be served.",
            self.name
        )
    }

    pub(crate) fn invalidate_each(&self) -> String {
        format!(
            "Removes the entries of `{}(…)`, those of all keys in one command. After `Ok` no \
             process serves a value whose load began before this call.\n\n# Errors\nWhere the store \
             could not be told; the entries may then still be served.",
            self.name
        )
    }

    pub(crate) fn refresh_each(&self) -> String {
        format!(
            "Runs the body of `{}(…)` with all keys and stores its values, but those whose entries \
             are invalidated meanwhile. Returns what the function returns.",
            self.name
        )
    }

    pub(crate) fn peek(&self) -> String {
        let tags = if self.tagged_beyond_key {
            " Asks for the arguments that the tags use, too: the value is good only while they are."
        } else {
            ""
        };
        format!(
            "What is stored for `{}(…)`, without running the body.{tags}\n\n# Errors\nWhere the \
             store could not be asked.",
            self.name
        )
    }

    pub(crate) fn put(&self) -> String {
        format!(
            "Stores a value as if `{}(…)` had just returned it; `ttl` and `cache_if` apply.\n\n\
             # Errors\nWhere the store could not be told, or the value not be encoded.",
            self.name
        )
    }

    pub(crate) fn refresh(&self) -> String {
        format!(
            "Runs the body of `{}(…)` and stores its value, unless the entry is invalidated \
             meanwhile. Returns what the function returns.",
            self.name
        )
    }

    pub(crate) fn uncached(&self) -> String {
        format!("Runs the body of `{}(…)`; nothing is looked up, stored or counted.", self.name)
    }

    pub(crate) fn fetch(&self) -> String {
        format!("Calls `{}(…)`, and says where its value came from, and how old it is.", self.name)
    }

    pub(crate) fn invalidate_all(&self) -> String {
        let how = if self.tagged_as_a_whole {
            "One command, by the tag that they all carry.\n\n# Errors\nWhere the store could not be \
             told."
        } else {
            "How many there were. Walks the whole keyspace (SCAN), which the option \
             `invalidate_all` spares.\n\n# Errors\nWhere the store could not be told; some may be \
             removed already."
        };
        format!("Removes all entries of `{}`. {how}", self.name)
    }

    pub(crate) fn stats(&self) -> String {
        format!("What happened to the calls of `{}` in this process.", self.name)
    }
}
