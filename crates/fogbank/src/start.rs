//! `fogbank start`: opens the state, starts the services and serves.

use std::fs::DirBuilder;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use fogbank_compute::Compute;
use fogbank_compute::lambda::PythonSdk;
use fogbank_core::store::{self, Db};
use fogbank_core::{Clock, Cloud, Ids, Settings};
use fogbank_gateway::{Gateway, Options};
use fogbank_identity::{Directory, Enforcement};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::banner;
use crate::cli::StartOptions;
use crate::config::{BucketDefaults, Config, Durability, Iam, Mode};
use crate::services::SERVICES;

/// Starts the cloud and serves until it is told to stop.
pub(crate) fn start(options: &StartOptions) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let config = Config::load(options, &crate::config::environment())?;
    start_log(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let working_dir = working_dir(&config)?;
    let outcome = runtime.block_on(serve(&config, working_dir.clone(), begun));
    // What still computes on a thread of its own is not worth waiting for: all state is in the store.
    runtime.shutdown_background();
    if config.ephemeral {
        let _ = std::fs::remove_dir_all(&working_dir);
    }
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn serve(config: &Config, working_dir: PathBuf, begun: Instant) -> anyhow::Result<()> {
    let stop = told_to_stop()?;
    let listener = TcpListener::bind(config.listen).await.with_context(|| {
        format!("cannot listen on {}; choose another address with --listen", config.listen)
    })?;
    let address = listener.local_addr().context("the listener has no address")?;
    let db = open_state(config)?;
    let settings = Settings {
        account: config.account.clone(),
        region: config.region.clone(),
        data_dir: working_dir,
        local_authority: local_authority(address),
        has_legacy_buckets: config.s3_bucket_defaults == BucketDefaults::Before2023,
        allows_customer_keys: config.s3_bucket_defaults != BucketDefaults::Today,
        s3_cache_bytes: u64::from(config.s3_cache_mib) << 20,
    };
    let cloud = Cloud::new(db.clone(), Clock::system(), Ids::random(), settings);
    cloud.recall_clock().context("the clock's row cannot be read")?;
    crate::root_key::take(config, &cloud)?;
    let compute = compute(config, &cloud)?;
    cloud.state(|| compute);
    let mode = match config.mode {
        Mode::Dev => {
            fogbank_identity::Mode::Dev { accept_any_credentials: config.accept_any_credentials }
        }
        Mode::Server => fogbank_identity::Mode::Server,
    };
    let enforcement = match config.iam {
        Iam::Enforce => Enforcement::Enforce,
        Iam::Warn => Enforcement::Warn,
        Iam::Off => Enforcement::Off,
    };
    let directory = Directory::new(mode, &config.account)
        .enforcing(enforcement)
        .keeping(config.iam_decisions as usize);
    let directory = Arc::new(directory);
    directory.connect(&cloud);
    let made = directory
        .ensure_root(&db, cloud.ids(), &config.account, cloud.clock().now())
        .await
        .context("cannot make the root's access key")?;
    let options = Options {
        allow_remote: config.allow_remote,
        open_metrics: config.mode == Mode::Dev,
        banner: banner::health(config),
    };
    let gateway = Gateway::new(
        cloud.clone(),
        SERVICES,
        directory,
        crate::services::admin_routes(config.mode),
        options,
    );
    let background = fogbank_tasks::start(&cloud, SERVICES);
    banner::print(config, address, begun.elapsed(), cloud.clock());
    if let Some((id, secret)) = made {
        banner::print_root_key(&id, &secret);
    }
    let mut stdout = std::io::stdout();
    writeln!(stdout, "Ready.").and_then(|()| stdout.flush()).context("cannot write to stdout")?;
    fogbank_gateway::serve(gateway, listener, stop).await?;
    fogbank_tasks::stop(&cloud, SERVICES).await;
    drop(background);
    db.close().context("the state could not be closed")?;
    Ok(())
}

/// Where functions run; the service finds it in the cloud's state.
fn compute(config: &Config, cloud: &Cloud) -> anyhow::Result<Compute> {
    let mut settings = fogbank_compute::Config::new(&cloud.settings().data_dir);
    if let Some(folder) = &config.lambda_python_packages {
        settings.python_sdk = PythonSdk::Folder(folder.clone());
    }
    Compute::new(settings).context("cannot prepare to run functions")
}

fn open_state(config: &Config) -> anyhow::Result<Db> {
    if config.ephemeral {
        return Ok(Db::memory());
    }
    let durability = match config.durability {
        Durability::Fsync => store::Durability::Fsync,
        Durability::Buffered => store::Durability::Buffered,
    };
    let mut options = store::Options::new(&config.data_dir);
    options.durability = durability;
    options.cache_bytes = u64::from(config.cache_mib) << 20;
    options.memtable_bytes = u64::from(config.memtable_mib) << 20;
    if let Some(mib) = config.disk_reserve_mib {
        options.reserve_bytes = mib.saturating_mul(1 << 20);
    }
    if let Some(mib) = config.scrub_mib {
        options.scrub_bytes_per_second = u64::from(mib) << 20;
    }
    Db::open(&options)
        .with_context(|| format!("cannot open the state in {}", config.data_dir.display()))
}

/// Where workloads on this machine reach the cloud.
fn local_authority(listener: SocketAddr) -> String {
    let everywhere = listener.ip().is_unspecified();
    let ip = if everywhere { IpAddr::from([127, 0, 0, 1]) } else { listener.ip() };
    SocketAddr::new(ip, listener.port()).to_string()
}

/// Makes the directory of state and of files that are no state, for its owner alone: it holds secrets.
/// An ephemeral cloud has one too, under a name that nobody else can have taken.
fn working_dir(config: &Config) -> anyhow::Result<PathBuf> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    let directory = if config.ephemeral {
        std::env::temp_dir().join(format!("fogbank-{}", Ids::random().lower(16)))
    } else {
        builder.recursive(true);
        config.data_dir.clone()
    };
    builder.create(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    Ok(directory)
}

fn start_log(filter: &str) -> anyhow::Result<()> {
    use std::io::IsTerminal;
    let filter = tracing_subscriber::EnvFilter::builder()
        .parse(filter)
        .with_context(|| format!("the log filter {filter:?}"))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init()
    } else {
        log.json().init()
    }
    Ok(())
}

/// Ends at the first signal; the second ends the process.
fn told_to_stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for signals")?;
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(async move {
        next().await;
        tracing::info!("stopping; a second signal stops at once");
        tokio::spawn(async move {
            next().await;
            std::process::exit(1);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workloads_reach_the_address_that_is_served() {
        for (listener, authority) in [
            ("127.0.0.1:4566", "127.0.0.1:4566"),
            ("0.0.0.0:4566", "127.0.0.1:4566"),
            ("[::]:4566", "127.0.0.1:4566"),
            ("[::1]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(local_authority(listener.parse().expect("an address")), authority);
        }
    }
}
