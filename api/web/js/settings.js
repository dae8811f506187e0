/*
 * settings - the settings of a kind as a part of a form
 */
import { h } from './dom.js';
import { settingField } from './setting.js';

/** {node, config(), good(), check(), tell(problem)}. KIND: as GET /kinds has it. */
export function settingsForm(kind, changed) {
    const asked = kind.settings.filter((setting) => !setting.old);
    const fields = new Map();
    const needed = (setting) =>
        setting.required && !Object.entries(setting.unless ?? {}).some(([key, value]) => fields.get(key)?.value() === value);
    for (const setting of asked)
        fields.set(
            setting.key,
            settingField(
                setting,
                () => needed(setting),
                () => {
                    for (const other of asked) if (other.unless) fields.get(other.key).check(false);
                    changed();
                },
            ),
        );
    const nodes = (which) => asked.filter(which).map((setting) => fields.get(setting.key).node);
    const rest = nodes((setting) => !setting.required);
    const more = rest.length > 0 && h('details', { class: 'field' }, h('summary', null, `More settings (${rest.length})`), rest);
    return {
        node: h(
            'div',
            { class: 'settings' },
            nodes((setting) => setting.required),
            more,
        ),
        config: () =>
            Object.fromEntries([...fields].map(([key, field]) => [key, field.value()]).filter(([, value]) => value !== undefined)),
        /** Whether they could be taken as they are; nothing is told. */
        good: () => [...fields.values()].every((field) => field.good()),
        check: () => {
            const bad = [...fields.values()].filter((field) => !field.check(true));
            if (bad.length && more && more.contains(bad[0].node)) more.open = true;
            bad[0]?.focus();
            return bad.length === 0;
        },
        /** Shows the server's errors at their fields; those that were shown. */
        tell: (problem) =>
            [...fields.values()]
                .filter((field) => {
                    const text = problem.of(`config.${field.key}`);
                    if (!text) return false;
                    field.tell(text);
                    if (more && more.contains(field.node)) more.open = true;
                    return true;
                })
                .map((field) => `config.${field.key}`),
    };
}
