//! `demo`: the main job from beginning to end, on the sample of a made-up province.
//!
//! Apart from the commands because it tells a story: each step does what one command does, over the
//! same gRPC, and stops the story when the answer is not the promised one.

mod ending;
mod home;
mod load;
mod people;
mod sample;
mod stage;
mod trouble;

use std::process::ExitCode;
use std::time::Instant;

use crate::args::{DemoArgs, Global};
use crate::error::Failure;
use crate::progress::seconds;
use crate::serve;
use crate::{host, output};
use stage::Stage;

/// Runs `demo`.
///
/// # Errors
///
/// [`Failure`] with `--json`, when the directory is not a demo's, or a step did not go as promised.
pub(crate) async fn run(global: &Global, args: &DemoArgs) -> Result<ExitCode, Failure> {
    if global.json {
        return Err(Failure::Usage(
            "the demo is told for people: leave --json out".to_owned(),
        ));
    }
    let started = Instant::now();
    let cast = sample::Cast::read()?;
    home::prepare(&args.data)?;
    let server = host::start_for_demo(&args.data).await?;
    let mut stage = Stage::open(global, server.local_addr()).await?;
    stage.opening(&args.data, server.local_addr()).await?;
    load::registry(&mut stage, &cast).await?;
    load::learners(&mut stage, &cast).await?;
    load::achievements(&mut stage, &cast).await?;
    people::account(&mut stage).await?;
    trouble::supersede(&mut stage).await?;
    trouble::revoke(&mut stage).await?;
    people::bind(&mut stage).await?;
    people::merge(&mut stage).await?;
    trouble::late(&mut stage, &cast).await?;
    people::erase(&mut stage, &cast).await?;
    let head = ending::head(&mut stage).await?;
    drop(stage);
    server.stop().await;
    let clean = ending::verify(&args.data, head).await?;
    output::line(&format!("\nDone in {}.", seconds(started.elapsed())))?;
    ending::what_next(&args.data)?;
    if !clean {
        return Err(Failure::Unexpected("the ledger did not verify".to_owned()));
    }
    if args.keep_serving {
        return serve::demo_store(&args.data).await;
    }
    Ok(ExitCode::SUCCESS)
}
