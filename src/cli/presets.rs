//! `countersign presets`: what an upstream's `preset` can name.

use std::io;

use serde_json::Value;

use super::{End, Terminal};
use crate::config::presets;

pub(super) fn run(json: bool, terminal: &mut Terminal<'_>) -> io::Result<End> {
    if json {
        serde_json::to_writer_pretty(&mut terminal.out, &all())?;
        writeln!(terminal.out)?;
    } else {
        for preset in &all() {
            let text = |field: &str| preset[field].as_str().unwrap_or_default().to_owned();
            let recipe = recipe(&preset["credential"]);
            writeln!(terminal.out, "{}\n  {}\n  {recipe}\n  {}", text("name"), text("url"), text("docs"))?;
        }
    }
    Ok(End::Good)
}

/// All presets, each with its name.
fn all() -> Vec<Value> {
    let named = |name: &str| {
        let mut preset = presets::json(name)?;
        preset.as_object_mut()?.insert("name".to_owned(), name.into());
        Some(preset)
    };
    presets::names().filter_map(named).collect()
}

/// A credential in a few words: `header x-api-key`.
fn recipe(credential: &Value) -> String {
    if let Some(recipes) = credential.as_array() {
        return recipes.iter().map(recipe).collect::<Vec<_>>().join(" and ");
    }
    let recipes = credential.as_object().into_iter().flatten();
    let words = recipes.map(|(name, fields)| {
        let place = ["name", "param"].into_iter().find_map(|field| fields[field].as_str());
        place.map_or_else(|| name.clone(), |place| format!("{name} {place}"))
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `| name | URL | recipe | what a key looks like | bad key |`, as the guide has it.
    fn row(preset: &Value) -> String {
        let text = |field: &str| preset[field].as_str().unwrap_or_default();
        let code = |text: &str| {
            if text.is_empty() { String::new() } else { format!("`{}`", text.replace('|', "\\|")) }
        };
        let statuses = preset["bad_key"]
            .as_array()
            .map(|statuses| statuses.iter().map(Value::to_string).collect::<Vec<_>>().join(", "));
        format!(
            "| [{}]({}) | {} | {} | {} | {} |\n",
            text("name"),
            text("docs"),
            code(text("url")),
            code(&recipe(&preset["credential"])),
            code(text("expect")),
            statuses.unwrap_or_else(|| "401, 403".to_owned()),
        )
    }

    #[test]
    fn the_guide_lists_each_preset_as_it_is() {
        let guide = include_str!("../../docs/guides/presets.md");
        let rows: String = all().iter().map(row).collect();
        assert!(guide.ends_with(&rows), "the presets have changed; end the guide with\n{rows}");
    }
}
