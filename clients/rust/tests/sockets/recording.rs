//! A server that keeps what it receives, byte for byte, and gives prepared answers.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

#[derive(Clone, Debug)]
pub struct Recorded {
    pub method: String,
    pub target: String,
    /// As they came. Characters stand for bytes.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Recorded {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct State {
    kept: Vec<Recorded>,
    answers: VecDeque<String>,
}

pub struct Recorder {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl Recorder {
    /// Gives the answers in order, then 200.
    pub fn start(answers: impl IntoIterator<Item = String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State { kept: Vec::new(), answers: answers.into_iter().collect() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, state }
    }

    pub fn then(&self, answers: impl IntoIterator<Item = String>) {
        self.state.lock().expect("the state").answers.extend(answers);
    }

    pub fn requests(&self) -> Vec<Recorded> {
        self.state.lock().expect("the state").kept.clone()
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) {
    let mut output = stream.try_clone().expect("a stream");
    let mut input = BufReader::new(stream);
    while let Some(request) = read(&mut input) {
        let mut state = state.lock().expect("the state");
        let is_head = request.method == "HEAD";
        state.kept.push(request);
        let answer = state.answers.pop_front().unwrap_or_else(|| says(200, &[], ""));
        drop(state);
        let answer = if is_head { answer.split_inclusive("\r\n\r\n").next().unwrap_or_default() } else { &answer };
        if output.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn read(input: &mut BufReader<TcpStream>) -> Option<Recorded> {
    let first = line(input)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line(input)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()));
    }
    let mut request = Recorded { method, target, headers, body: Vec::new() };
    assert_eq!(request.header("transfer-encoding"), None, "a body has a length");
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body.resize(length, 0);
    input.read_exact(&mut request.body).ok()?;
    Some(request)
}

/// A line, its bytes as characters.
fn line(input: &mut BufReader<TcpStream>) -> Option<String> {
    let mut bytes = Vec::new();
    input.read_until(b'\n', &mut bytes).ok()?;
    let line = bytes.strip_suffix(b"\r\n")?;
    Some(line.iter().copied().map(char::from).collect())
}

pub fn says(status: u16, headers: &[(&str, &str)], body: &str) -> String {
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let headers = headers.concat();
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}

pub fn problem(status: u16, code: &str, headers: &[(&str, &str)]) -> String {
    let headers = [&[("Content-Type", "application/problem+json")], headers].concat();
    says(status, &headers, &format!(r#"{{"code":"{code}"}}"#))
}
