//! A Rust source with what the checks ask of it: which lines are production code, its functions,
//! its tokens.

use std::ops::RangeInclusive;

use anyhow::Result;
use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, ImplItemFn, Item, ItemFn, Meta, Signature, TraitItemFn};

use super::tree::File;

/// One parsed source file.
#[derive(Debug)]
pub(crate) struct RustFile {
    pub(crate) path: String,
    /// Lines in all, tests included.
    pub(crate) lines: usize,
    /// Every function with a body that is production code.
    pub(crate) functions: Vec<Function>,
    /// The tokens of production code, flattened, with their lines.
    pub(crate) tokens: Vec<Token>,
    test_lines: Vec<RangeInclusive<usize>>,
    all_test: bool,
}

/// A function's name and the lines from its `fn` to its closing brace.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) lines: usize,
}

/// A token's text and line; groups are flattened and their delimiters left out.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl RustFile {
    pub(crate) fn parse(file: &File) -> Result<Self> {
        let ast = syn::parse_file(&file.text)?;
        let mut parsed = Self {
            path: file.path.clone(),
            lines: file.text.lines().count(),
            functions: Vec::new(),
            tokens: Vec::new(),
            test_lines: Vec::new(),
            all_test: is_test_path(&file.path),
        };
        parsed.visit_file(&ast);
        if !parsed.all_test {
            let mut tokens = Vec::new();
            flatten(
                file.text
                    .parse::<TokenStream>()
                    .map_err(|error| anyhow::anyhow!("{error}"))?,
                &mut tokens,
            );
            tokens.retain(|token| !parsed.is_test_line(token.line));
            parsed.tokens = tokens;
        }
        Ok(parsed)
    }

    /// How many lines are production code: neither a test file nor under `#[cfg(test)]`.
    pub(crate) fn production_lines(&self) -> usize {
        if self.all_test {
            return 0;
        }
        let tests: usize = self
            .test_lines
            .iter()
            .map(|lines| lines.end() + 1 - lines.start())
            .sum();
        self.lines.saturating_sub(tests)
    }

    fn is_test_line(&self, line: usize) -> bool {
        self.all_test || self.test_lines.iter().any(|lines| lines.contains(&line))
    }

    fn note(&mut self, signature: &Signature, block: &Block) {
        let line = signature.fn_token.span.start().line;
        if !self.is_test_line(line) {
            let lines = block.brace_token.span.close().end().line + 1 - line;
            self.functions.push(Function {
                name: signature.ident.to_string(),
                line,
                lines,
            });
        }
    }
}

impl Visit<'_> for RustFile {
    fn visit_item(&mut self, item: &Item) {
        if attributes(item).iter().any(is_cfg_test) {
            let span = item.span();
            self.test_lines.push(span.start().line..=span.end().line);
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &ItemFn) {
        self.note(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &ImplItemFn) {
        self.note(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &TraitItemFn) {
        if let Some(block) = &function.default {
            self.note(&function.sig, block);
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Tests, benches, examples and fuzz targets: nobody's production depends on them.
fn is_test_path(path: &str) -> bool {
    let folders = ["tests", "benches", "examples", "fuzz"];
    path.split('/')
        .any(|part| folders.contains(&part) || part == "tests.rs")
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[cfg(test)]` and `#[cfg(all(test, …))]`, but not `#[cfg(not(test))]`.
fn is_cfg_test(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    let mut tokens = Vec::new();
    flatten(list.tokens.clone(), &mut tokens);
    let has = |word| tokens.iter().any(|token| token.text == word);
    list.path.is_ident("cfg") && has("test") && !has("not")
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    for tree in stream {
        match tree {
            TokenTree::Group(group) => flatten(group.stream(), tokens),
            tree => {
                let line = tree.span().start().line;
                tokens.push(Token {
                    text: tree.to_string(),
                    line,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
fn short() {}

trait T {
    fn provided(&self) {
        short();
    }
}

#[cfg(test)]
mod tests {
    fn helper() {}
}
";

    fn parsed(path: &str) -> RustFile {
        RustFile::parse(&File {
            path: path.to_owned(),
            text: SOURCE.to_owned(),
        })
        .unwrap()
    }

    #[test]
    fn test_modules_are_no_production_code() {
        let file = parsed("crates/wire/src/lib.rs");
        let functions: Vec<_> = file
            .functions
            .iter()
            .map(|f| (f.name.as_str(), f.line, f.lines))
            .collect();
        assert_eq!(functions, [("short", 1, 1), ("provided", 4, 3)]);
        assert_eq!((file.lines, file.production_lines()), (12, 8));
        assert!(file.tokens.iter().all(|token| token.text != "helper"));
    }

    #[test]
    fn test_files_are_no_production_code() {
        for path in [
            "crates/wire/src/tests.rs",
            "crates/wire/tests/golden.rs",
            "fuzz/fuzz_targets/ip.rs",
        ] {
            let file = parsed(path);
            assert_eq!(file.production_lines(), 0, "{path}");
            assert!(
                file.functions.is_empty() && file.tokens.is_empty(),
                "{path}"
            );
        }
    }

    #[test]
    fn code_for_everything_but_tests_is_production_code() {
        let text = "#[cfg(not(test))]\nfn real() {}\n".to_owned();
        let file = RustFile::parse(&File {
            path: "src/lib.rs".to_owned(),
            text,
        })
        .unwrap();
        assert_eq!(file.production_lines(), 2);
    }
}
