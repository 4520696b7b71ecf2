// What every page shares: the theme, the card that a chip shows, the panel of sources, and what is said when the connection is lost.
window.hkai = (() => {
  const root = document.documentElement;
  const stored = (key) => { try { return localStorage.getItem(key) || ''; } catch { return ''; } };
  const store = (key, value) => { try { localStorage.setItem(key, value); } catch { /* a browser that keeps nothing */ } };
  const wanted = () => stored('hkai-theme') || (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

  const language = () => stored('hkai-language') || (navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
  const paint = () => {
    const dark = wanted() === 'dark';
    const lang = language() === 'zh' ? 'zh-HK' : 'en';
    if (root.lang !== lang) root.lang = lang;
    root.style.colorScheme = dark ? 'dark' : 'light';
    if (document.body && document.body.classList.contains('dark') !== dark) document.body.classList.toggle('dark', dark);
  };
  const theme = () => {
    store('hkai-theme', wanted() === 'dark' ? 'light' : 'dark');
    paint();
  };

  const speak = (lang) => {
    store('hkai-language', lang);
    paint();
    return lang;
  };

  // Gradio's own buttons, named in the page's language.
  const named = () => {
    const words = document.getElementById('lost')?.dataset || {};
    document.querySelector('#past .toggle-button')?.setAttribute('aria-label', words.past);
    document.getElementById('theme')?.setAttribute('aria-label', words.theme);
  };

  // Gradio's clock of how long an event takes runs on for ever, with every frame, from its first loading on (6.31). Nothing here shows it: it ticks each second.
  const frame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (drawn) => /performance\.now\(\).{1,40}1e3/.test(drawn) ? setTimeout(drawn, 1000) : frame(drawn);

  const opened = () => new URLSearchParams(location.search).get('c') || '';
  const address = (id) => {
    if (id !== opened()) history.replaceState(history.state, '', id ? `/?c=${encodeURIComponent(id)}` : '/');
  };

  const reading = (id) => {
    const shown = new URLSearchParams(location.search).get('t') || '';
    if (id === shown) return;
    history.replaceState(history.state, '', id ? `/library?t=${encodeURIComponent(id)}` : '/library');
    setTimeout(() => {
      const title = document.querySelector('#text h1');
      title?.scrollIntoView({block: 'start', behavior: 'instant'});
      title?.focus({preventScroll: true});
    }, 50);
  };

  // Files that are too large are refused in words before they are sent.
  for (const [name, held] of [['change', (event) => event.target], ['drop', (event) => event.dataTransfer]]) {
    document.addEventListener(name, (event) => {
      const limits = document.getElementById('limits');
      if (!limits || !event.target.closest?.('#add')) return;
      const large = [...(held(event)?.files || [])].filter((file) => file.size > limits.dataset.megabytes * 1e6);
      if (!large.length) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      document.querySelector('#own .said').replaceChildren(...large.map((file) => {
        const line = document.createElement('p');
        line.textContent = limits.dataset.said.replace('{name}', () => file.name);
        return line;
      }));
    }, true);
  }

  const copy = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = Object.assign(document.createElement('textarea'), {value: text});
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  };

  // A short word beside what was pressed, read out too.
  const say = (text, beside) => {
    const note = document.getElementById('hkai-said') || document.body.appendChild(Object.assign(document.createElement('div'), {id: 'hkai-said'}));
    note.setAttribute('role', 'status');
    note.textContent = text;
    if (beside) {
      const at = beside.getBoundingClientRect();
      note.style.left = `${Math.max(8, Math.min(at.left, innerWidth - 200))}px`;
      note.style.top = `${Math.max(8, at.top - 34)}px`;
    }
    clearTimeout(note.timer);
    note.timer = setTimeout(() => { note.textContent = ''; }, 1800);
  };

  // The card of a chip: who says so, where, and when.
  const peek = (chip) => {
    const card = document.getElementById('hkai-peek') || document.body.appendChild(Object.assign(document.createElement('div'), {id: 'hkai-peek'}));
    card.setAttribute('role', 'tooltip');
    if (!chip || !chip.dataset.title) { card.hidden = true; return; }
    card.replaceChildren(...['publisher', 'title', 'dated'].filter((name) => chip.dataset[name]).map((name) => {
      const line = document.createElement('span');
      line.className = name;
      line.textContent = chip.dataset[name];
      return line;
    }));
    card.hidden = false;
    const at = chip.getBoundingClientRect();
    const below = at.bottom + card.offsetHeight + 12 < innerHeight;
    card.style.left = `${Math.max(8, Math.min(at.left - 12, innerWidth - card.offsetWidth - 8))}px`;
    card.style.top = `${below ? at.bottom + 6 : at.top - card.offsetHeight - 6}px`;
  };

  const open = (chip) => {
    const card = document.getElementById(chip.getAttribute('href').slice(1));
    if (!card) return;
    for (const group of document.querySelectorAll('.sources .group')) group.hidden = group !== card.parentElement;
    for (const other of document.querySelectorAll('.sources .card.active')) other.classList.remove('active');
    card.classList.add('active');
    document.body.classList.add('sources-open');
    card.scrollIntoView({block: 'nearest', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'instant' : 'smooth'});
    card.focus({preventScroll: true});
    card.from = chip;
  };
  const close = () => {
    document.body.classList.remove('sources-open');
    document.querySelector('.sources .card.active')?.from?.focus?.();
  };

  document.addEventListener('click', (event) => {
    const chip = event.target.closest?.('a.cite');
    if (chip) { event.preventDefault(); peek(null); open(chip); }
    if (event.target.closest?.('[data-close]')) close();
  });
  for (const [name, show] of [['mouseover', true], ['focusin', true], ['mouseout', false], ['focusout', false]]) {
    document.addEventListener(name, (event) => {
      const chip = event.target.closest?.('a.cite');
      if (chip) peek(show ? chip : null);
    });
  }
  document.addEventListener('scroll', () => peek(null), {capture: true, passive: true});
  document.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    peek(null);
    if (document.body.classList.contains('sources-open')) close();
  });

  // On a narrow screen the list of conversations lies over the page, until one is chosen.
  const narrow = () => matchMedia('(max-width: 1000px)').matches;
  document.addEventListener('click', (event) => {
    const chosen = event.target.closest?.('#past [data-do=open], #new');
    if (chosen && narrow()) document.querySelector('#past .toggle-button').click();
    if (event.target.closest?.('#new')) document.querySelector('#question textarea').focus();
  });

  // Gradio says in English that the connection is lost, and reconnects; here it is said in the page's language.
  // Where the server no longer answers, that is said; once it does again, the page is loaded anew, and what stood in the box stands there again.
  let lost = false;
  let leaving = false;
  addEventListener('pagehide', () => { leaving = true; });
  addEventListener('pageshow', () => { leaving = false; });
  // What stands in the box, when the connection is lost and, since more may be typed then, when it is back.
  const keep = () => {
    const typed = document.querySelector('#question textarea')?.value;
    if (typed) sessionStorage.setItem('hkai-unsent', typed);
  };
  const unsent = () => {
    const kept = sessionStorage.getItem('hkai-unsent') || '';
    sessionStorage.removeItem('hkai-unsent');
    return kept;
  };
  const ping = async () => {
    const answers = await fetch('/healthz', {cache: 'no-store'}).then((reply) => reply.ok, () => false);
    if (answers && lost) {
      keep();
      location.reload();
    }
    if (answers || lost || leaving) return;
    lost = true;
    keep();
    const note = document.body.appendChild(Object.assign(document.createElement('div'), {id: 'hkai-lost'}));
    note.setAttribute('role', 'alert');
    note.textContent = document.getElementById('lost')?.textContent || '';
  };
  setInterval(() => { if (lost || !document.hidden) ping(); }, 3000);

  paint();
  // Gradio paints the body and names the language by itself while it starts.
  const kept = new MutationObserver(paint);
  kept.observe(root, {attributes: true, attributeFilter: ['lang']});
  document.addEventListener('DOMContentLoaded', () => {
    paint();
    kept.observe(document.body, {attributes: true, attributeFilter: ['class']});
  });
  return {theme, named, language, speak, opened, unsent, address, reading, copy, say};
})();
