//! Responders answer or leave alone.

use rackweave_engine::Frame;
use rackweave_engine::parse::Parsed;
use rackweave_engine::respond::answer;

use super::{Fault, hold};
use crate::program::responder;
use crate::source::Source;
use crate::traffic::request;
use crate::verify::verify;

/// Whatever asks it, a responder leaves a valid answer in the frame, or the frame as it was.
///
/// # Errors
/// What does not hold.
pub fn answers(bytes: &[u8]) -> Result<(), Fault> {
    let mut source = Source::new(bytes);
    let responder = responder(&mut source);
    responder
        .validate()
        .map_err(|error| format!("{error}: {responder:?}"))?;
    while !source.is_empty() {
        let request = if source.one_in(8) {
            source.take(400).to_vec()
        } else {
            let mut request = request(&mut source);
            for _ in 0..source.below(4) {
                let at = source.below(request.len());
                if let Some(octet) = request.get_mut(at) {
                    *octet ^= 1 << (source.octet() % 8);
                }
            }
            request
        };
        let mut frame = Frame::new(&request);
        let Ok(parsed) = Parsed::parse(&request) else {
            continue;
        };
        match answer(&responder, &mut frame, &parsed) {
            Ok(()) => verify(frame.bytes())
                .map_err(|error| format!("{error} in {:02x?}, {responder:?}", frame.bytes()))?,
            Err(error) => hold(frame.bytes() == request, || {
                format!("{error}, but {request:02x?} became {:02x?}", frame.bytes())
            })?,
        }
    }
    Ok(())
}
