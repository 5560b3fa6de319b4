//! The shim alone, as a program: what the contract tests give the sandbox as its agent.

fn main() -> std::process::ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next().is_some_and(|word| word == "shim") {
        true => agent::shim::main(arguments),
        false => std::process::ExitCode::from(64),
    }
}
