//! The credit bank from Rust: a connection that says who acts, typed calls, and retries that are safe.
//!
//! Apart from the command line, which is built on it, so that an institution's own programs need nothing of
//! the server; of the ledger they need how that is encoded which they sign.
//!
//! ```no_run
//! use creditbank_client::{Client, Identity, v1};
//!
//! # async fn example(achievement: v1::Achievement) -> Result<(), Box<dyn std::error::Error>> {
//! let school = Identity::Institution("my-school".to_owned());
//! let client = Client::connect("http://127.0.0.1:7410", &school).await?;
//! let request = v1::SubmitRecordRequest { achievement: Some(achievement), validate_only: false };
//! match client.call(request).await {
//!     Ok(answer) => println!("{:?}", answer.outcome),
//!     Err(refusal) => println!("{}: {}", refusal.reason, refusal.message),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Client::call`] takes the request of any unary call and returns its answer. A call that got no answer is
//! made again only when a second arrival changes nothing, or when the first one certainly did not arrive;
//! [`calls`](Call) decides that, not the caller. How long, is [`Patience`]. A "no" that stands comes back at
//! once as a [`Refusal`] with its reason, fields and details.
//!
//! Many achievements go through [`Client::submitter`], which answers each once and in order, through lost
//! connections too:
//!
//! ```no_run
//! # use creditbank_client::{Client, Submitting, v1};
//! # async fn example(client: Client, achievements: Vec<v1::Achievement>) -> Result<(), Box<dyn std::error::Error>> {
//! let (submitter, mut outcomes) = client.submitter(Submitting::default());
//! tokio::spawn(async move {
//!     for achievement in achievements {
//!         submitter.send(achievement).await?;
//!     }
//!     Ok::<(), creditbank_client::Ended>(())
//! });
//! while let Some(outcome) = outcomes.next().await {
//!     println!("{:?}", outcome?.state());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! An institution that signs what it records, so that anyone can check it, registers the public half of a
//! key (`creditbank institution key generate`, then `add`) and signs each achievement before it is sent,
//! alone or through the submitter:
//!
//! ```no_run
//! use creditbank_client::{Client, Signer, v1};
//!
//! # async fn example(client: Client, achievement: v1::Achievement) -> Result<(), Box<dyn std::error::Error>> {
//! let pem = std::fs::read_to_string("my-school.pem")?;
//! let signer = Signer::from_pem(&pem, "2026", "my-school")?;
//! let mut achievement = achievement;
//! signer.sign(&mut achievement)?;
//! let request = v1::SubmitRecordRequest { achievement: Some(achievement), validate_only: false };
//! client.call(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Where the key lies in a hardware module, [`statement`] and [`message`] give what is to be signed.
//!
//! Other streams, and calls that should be made exactly once, go through the generated clients:
//! [`Client::records`], [`Client::accounts`], [`Client::learners`], [`Client::registry`], [`Client::audit`].

pub use api::v1;

mod calls;
mod connection;
mod identity;
mod patience;
mod refusal;
mod resumption;
mod signing;
mod submitter;

pub use calls::{Call, Repetition};
pub use connection::{Acting, Client, ConnectError, Speaker};
pub use identity::{Identity, IdentityError, handle_text, institution_id};
pub use patience::{Attempt, Patience};
pub use refusal::{Arrival, Field, Refusal, root_cause};
pub use signing::{Signer, SigningError, message, statement};
pub use submitter::{Ended, Outcomes, Submission, Submitter, Submitting};
