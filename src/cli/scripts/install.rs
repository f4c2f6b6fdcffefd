//! `klamm install-scripts`: links by which this program is called as Kafka's scripts.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use super::SCRIPTS;

// What `klamm install-scripts` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Install {
    /// The folder for the links. It is made if it is not there.
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Replace links of the same names that lead elsewhere.
    #[arg(long)]
    force: bool,
}

impl Install {
    /// Links every name, with and without `.sh`, to this program. What is there and is no link is never touched.
    pub(crate) fn run(self) -> Result<ExitCode, Box<dyn Error>> {
        let program = std::env::current_exe()?;
        let folder = self.folder.display();
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| format!("cannot make the folder {folder}: {error}; name another"))?;
        let mut linked = 0_usize;
        for name in SCRIPTS.iter().flat_map(|script| [script.name.to_owned(), format!("{}.sh", script.name)])
        {
            let link = self.folder.join(&name);
            match std::fs::symlink_metadata(&link) {
                Ok(_) if std::fs::read_link(&link).is_ok_and(|target| target == program) => continue,
                Ok(found) if found.is_symlink() && self.force => std::fs::remove_file(&link)?,
                Ok(found) => {
                    let what = if found.is_symlink() { "a link to elsewhere" } else { "a file" };
                    let next =
                        if found.is_symlink() { "add --force to replace it" } else { "name another folder" };
                    return Err(format!("{} is there already, {what}; {next}", link.display()).into());
                }
                Err(_) => {}
            }
            std::os::unix::fs::symlink(&program, &link)
                .map_err(|error| format!("cannot make the link {}: {error}", link.display()))?;
            linked += 1;
        }
        println!(
            "{linked} links to {} are new in {folder}: kafka-topics.sh and the others",
            program.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}
