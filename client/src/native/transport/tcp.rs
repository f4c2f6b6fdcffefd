//! TCP: the first of a host's addresses that answers.

use tokio::net::{TcpStream, lookup_host};

use crate::error::{ClientError, ErrorKind};

pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream, ClientError> {
    let asked = || format!("connecting to {host}:{port}");
    let unreachable = |why: String| ClientError::new(ErrorKind::Unreachable, asked(), why);
    let addresses = lookup_host((host, port)).await.map_err(|error| {
        unreachable(format!("the host {host} is not known: {error}")).remedy("correct bootstrap_servers")
    })?;
    let mut why = format!("the host {host} has no address");
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // Requests are written whole: there is nothing to wait for.
                stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
                return Ok(stream);
            }
            Err(error) => why = format!("no broker answers at {host}:{port}: {error}"),
        }
    }
    Err(unreachable(why).remedy("start a broker there, or correct bootstrap_servers"))
}
