//! Retwis, the small social network that databases are shown with: users follow others, write short posts,
//! and read a timeline of what those they follow wrote last.
//!
//! A timeline is a query over everyone who is followed, merged when it is asked for. All of it is from one
//! moment: of two posts that one read shows, no other read shows the later without the earlier.

use ordain::prelude::*;

/// What there is to call.
pub fn entities() -> Entities {
    entities![User]
}

// Built for WebAssembly, the crate is a module to deploy.
ordain::export!(entities());

/// Characters of a post.
pub const TEXT_MAX: usize = 140;
/// The most users that one follows.
pub const FOLLOWED_MAX: usize = 1_000;
/// Posts of a timeline.
pub const TIMELINE: usize = 10;
/// The most posts of one page.
pub const PAGE_MAX: usize = 1_000;
/// Fields named after this hold the posts.
const POSTS: &str = "post/";

/// A user: `retwis_user/alice`. Posts are fields beside this state, so that writing one does not write
/// whom the user follows.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Whom the user follows, each once.
    pub followed: Vec<Key>,
    /// How many posts the user wrote; they are numbered from 1.
    pub posts: u64,
}

/// What a user wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Which of the user's posts.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub text: String,
}

/// A post in a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Who wrote it.
    pub author: Key,
    /// The post.
    pub post: Post,
}

#[entity(name = "retwis_user")]
impl User {
    /// Follows these too; gives how many the user follows then.
    pub fn follow(&mut self, users: Vec<Key>) -> Result<usize> {
        for user in users {
            if !self.followed.contains(&user) {
                self.followed.push(user);
            }
        }
        ensure!(
            self.followed.len() <= FOLLOWED_MAX,
            "too_many",
            "a user follows at most {FOLLOWED_MAX} others"
        );
        Ok(self.followed.len())
    }

    /// Follows that one no more; gives how many the user follows then.
    pub fn unfollow(&mut self, user: Key) -> Result<usize> {
        self.followed.retain(|followed| *followed != user);
        Ok(self.followed.len())
    }

    /// Writes a post; gives its number.
    pub fn post(cx: &mut Context<Self>, text: String) -> Result<u64> {
        let long = text.chars().count();
        ensure!(
            (1..=TEXT_MAX).contains(&long),
            "bad_text",
            "a post has 1 to {TEXT_MAX} characters, not {long}"
        );
        let at = cx.now();
        let user = cx.state_mut();
        user.posts += 1;
        let number = user.posts;
        cx.field(&field(number)).put(&Post { number, at, text });
        Ok(number)
    }

    /// The last posts of those the user follows, the latest first, at most [`TIMELINE`].
    #[query]
    pub fn timeline(cx: &mut QueryContext<Self>) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for author in cx.state().followed.clone() {
            let posts = cx.entity::<User>(&author).last_posts()?;
            let entry = |post| Entry {
                author: author.clone(),
                post,
            };
            entries.extend(posts.into_iter().map(entry));
        }
        // Posts of one moment have an order too: by their authors and numbers.
        entries.sort_by(|a, b| b.order().cmp(&a.order()));
        entries.truncate(TIMELINE);
        Ok(entries)
    }

    /// The user's own last posts, the latest first, at most [`TIMELINE`].
    #[query]
    pub fn last_posts(cx: &mut QueryContext<Self>) -> Result<Vec<Post>> {
        let posts = cx.fields().prefix(POSTS).rev().limit(TIMELINE).read()?;
        Ok(posts.into_iter().map(|(_, post)| post).collect())
    }

    /// Whom the user follows, and how much the user wrote.
    #[query]
    pub fn details(&self) -> Result<User> {
        Ok(self.clone())
    }

    /// The user's own posts in the order in which they were written, at most [`PAGE_MAX`], those after
    /// that number.
    #[query]
    pub fn page(cx: &mut QueryContext<Self>, after: u64) -> Result<Vec<Post>> {
        let fields = cx.fields().prefix(POSTS).limit(PAGE_MAX);
        let posts = fields.range(field(after.saturating_add(1))..).read()?;
        Ok(posts.into_iter().map(|(_, post)| post).collect())
    }
}

impl Entry {
    fn order(&self) -> (Timestamp, &Key, u64) {
        (self.post.at, &self.author, self.post.number)
    }
}

/// Padded, so that their keys are in the order of their numbers.
fn field(number: u64) -> String {
    format!("{POSTS}{number:012}")
}
