// What the buttons and forms in a part of the page do. Runs once for each part; `element`, `trigger` and `watch` are Gradio's.
// A button with `data-do` named here is an event of that name, with its text and the id of what it stands in.
const EVENTS = ['ask', 'again', 'edited', 'rate', 'open', 'rename', 'remove', 'restore', 'publish', 'withdraw'];
const idOf = (node) => node.closest('[data-id]')?.dataset.id || '';
// The ids of an exchange and of those that are shown after it.
const onwards = (node) => {
  const all = [...document.querySelectorAll('.exchange')];
  return all.slice(all.indexOf(node.closest('.exchange'))).map((exchange) => exchange.dataset.id).join(' ');
};
const fire = (name, node, text) => { if (EVENTS.includes(name)) trigger(name, {id: idOf(node), text, onwards: onwards(node)}); };
const toggle = (button, part, show) => {
  part.hidden = !show;
  button?.setAttribute('aria-expanded', String(show));
  if (!show) return;
  const first = part.querySelector('textarea, input, button');
  first?.focus();
  first?.setSelectionRange?.(first.value.length, first.value.length);
};

element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (!button || button.matches('form')) return;
  const act = button.dataset.do;
  const text = button.dataset.text || '';
  if (button.matches('a')) {
    if (event.metaKey || event.ctrlKey) return;
    event.preventDefault();
  }
  if (act === 'edit') {
    const form = button.parentElement.querySelector('form');
    toggle(button, form, form.hidden);
  } else if (act === 'cancel') {
    const form = button.closest('form');
    const opener = form.parentElement.querySelector('[data-do=edit]');
    form.reset();
    toggle(opener, form, false);
    opener.focus();
  } else if (act === 'copy') {
    window.hkai.copy(text).then(() => window.hkai.say(button.dataset.done, button));
  } else if (act === 'why') {
    const why = button.closest('[data-id]').querySelector('.why');
    toggle(button, why, why.hidden);
  } else {
    if (act === 'rate') button.closest('[data-id]').querySelector('.why').hidden = true;
    fire(act, button, text);
  }
});

const submit = (form) => {
  const text = form.querySelector('textarea, input').value.trim();
  if (!text) return;
  toggle(form.parentElement.querySelector('[data-do=edit]'), form, false);
  fire(form.dataset.do, form, text);
};
element.addEventListener('submit', (event) => { event.preventDefault(); submit(event.target); });
element.addEventListener('keydown', (event) => {
  const form = event.target.closest('form');
  if (!form) return;
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing && event.target.matches('textarea')) { event.preventDefault(); submit(form); }
  if (event.key === 'Escape') { event.stopPropagation(); form.querySelector('[data-do=cancel]')?.click(); }
});

// A new question is put at the top of what is seen; the answer then grows below it and nothing jumps.
let latest = '';
watch('value', () => {
  const exchange = element.querySelector('.exchange[aria-busy=true]');
  if (!exchange || exchange.dataset.id === latest) return;
  latest = exchange.dataset.id;
  exchange.scrollIntoView({block: 'start', behavior: 'instant'});
});
