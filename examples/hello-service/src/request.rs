//! The part of HTTP/1.1 that this service reads: the request line and the end of the head.

use std::io::BufRead;

/// The longest head that is read, in bytes.
const LONGEST_HEAD: usize = 8 * 1024;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// For example `GET`.
    pub method: String,
    /// The path without its query.
    pub path: String,
}

/// Why a request cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRequest {
    /// The head does not end within 8 KiB.
    TooLong,
    /// The first line is not `METHOD /path HTTP/1.x`, or the connection broke.
    Malformed,
}

impl Request {
    /// Reads one request head.
    pub fn read(input: &mut impl BufRead) -> Result<Self, BadRequest> {
        let mut left = LONGEST_HEAD;
        let first = line(input, &mut left)?;
        while !line(input, &mut left)?.is_empty() {}
        let mut words = first.split(' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(method), Some(target), Some(version), None)
                if target.starts_with('/') && version.starts_with("HTTP/1.") =>
            {
                let path = target.split('?').next().unwrap_or(target);
                Ok(Self { method: method.to_owned(), path: path.to_owned() })
            }
            _ => Err(BadRequest::Malformed),
        }
    }
}

fn line(input: &mut impl BufRead, left: &mut usize) -> Result<String, BadRequest> {
    let mut bytes = Vec::new();
    loop {
        let available = input.fill_buf().map_err(|_| BadRequest::Malformed)?;
        let Some(&byte) = available.first() else {
            return Err(BadRequest::Malformed);
        };
        input.consume(1);
        *left = left.checked_sub(1).ok_or(BadRequest::TooLong)?;
        if byte == b'\n' {
            let text = String::from_utf8(bytes).map_err(|_| BadRequest::Malformed)?;
            return Ok(text.trim_end_matches('\r').to_owned());
        }
        bytes.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Request, BadRequest> {
        Request::read(&mut text.as_bytes())
    }

    #[test]
    fn a_request_line_gives_method_and_path() {
        let request = read("GET /hello/you?loud=1 HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/hello/you"));
    }

    #[test]
    fn bad_heads_are_refused() {
        for text in
            ["", "GET\r\n\r\n", "GET / HTTP/2\r\n\r\n", "GET here HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: x"]
        {
            assert_eq!(read(text), Err(BadRequest::Malformed), "{text:?}");
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(LONGEST_HEAD));
        assert_eq!(read(&long), Err(BadRequest::TooLong));
    }
}
