//! The first pass: a text becomes a tree.

use std::mem;

use ra_ap_rustc_lexer::{FrontmatterAllowed, Token, TokenKind, tokenize};

use crate::tree::{Bounds, BumpFull, Ground, Group, Tree};

/// The greatest number of groups around a tree. A delimiter that would exceed it becomes a sign, so
/// that the recursion fits the stack of a thread.
pub(crate) const DEPTH: usize = 200;

/// Parses texts in one thread.
pub(crate) struct Parser<'g, G: Ground> {
    ground: &'g G,
    /// The trees of the groups that are not complete, from the outermost group to the innermost.
    pending: Vec<Tree<G>>,
}

impl<'g, G: Ground> Parser<'g, G> {
    pub(crate) fn new(ground: &'g G) -> Self {
        Parser { ground, pending: Vec::new() }
    }

    /// Parses a text. A closing delimiter without an opening one becomes a sign, and a group that
    /// is not closed ends with the text.
    pub(crate) fn parse(&mut self, text: &str) -> Result<G::Group, BumpFull> {
        let tokens = tokenize(text, FrontmatterAllowed::No);
        self.group(Bounds::File, &mut Input { tokens, rest: text }, 0)
    }

    fn group<T: Iterator<Item = Token>>(
        &mut self,
        bounds: Bounds,
        input: &mut Input<'_, T>,
        depth: usize,
    ) -> Result<G::Group, BumpFull> {
        let start = self.pending.len();
        while let Some((kind, text)) = input.next() {
            let tree = match kind {
                TokenKind::Whitespace | TokenKind::LineComment { doc_style: None } => continue,
                TokenKind::BlockComment { doc_style: None, .. } => continue,
                TokenKind::LineComment { .. } | TokenKind::BlockComment { .. } => Tree::Doc(self.ground.text(text)?),
                TokenKind::Literal { .. } => Tree::Literal(self.ground.text(text)?),
                TokenKind::Lifetime { .. } | TokenKind::RawLifetime => Tree::Lifetime(self.ground.text(text)?),
                _ if closing(kind) == Some(bounds) => break,
                _ => match (opening(kind), text.chars().next()) {
                    (Some(bounds), _) if depth < DEPTH => Tree::Group(self.group(bounds, input, depth + 1)?),
                    (_, Some(sign)) if sign.len_utf8() == text.len() && !sign.is_alphabetic() && sign != '_' => {
                        Tree::Sign(sign)
                    }
                    _ => Tree::Word(self.ground.text(text)?),
                },
            };
            self.pending.push(tree);
        }
        let trees = self.ground.list(self.pending.drain(start..))?;
        self.ground.group(Group { bounds, trees })
    }
}

/// Tokens, and the text from the next one on.
struct Input<'t, T> {
    tokens: T,
    rest: &'t str,
}

impl<'t, T: Iterator<Item = Token>> Input<'t, T> {
    fn next(&mut self) -> Option<(TokenKind, &'t str)> {
        let token = self.tokens.next()?;
        let (text, rest) = mem::take(&mut self.rest).split_at(token.len as usize);
        self.rest = rest;
        Some((token.kind, text))
    }
}

fn opening(kind: TokenKind) -> Option<Bounds> {
    match kind {
        TokenKind::OpenParen => Some(Bounds::Parentheses),
        TokenKind::OpenBracket => Some(Bounds::Brackets),
        TokenKind::OpenBrace => Some(Bounds::Braces),
        _ => None,
    }
}

fn closing(kind: TokenKind) -> Option<Bounds> {
    match kind {
        TokenKind::CloseParen => Some(Bounds::Parentheses),
        TokenKind::CloseBracket => Some(Bounds::Brackets),
        TokenKind::CloseBrace => Some(Bounds::Braces),
        _ => None,
    }
}
