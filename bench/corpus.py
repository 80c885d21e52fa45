"""A made-up newsroom: the same number gives the same articles, on every machine.

Sentences speak of what the sixteen topics of config.toml are about, so that its rules have real work to do; nothing
in them happened. Written as JSON lines, as one plain text file, or as a folder of Markdown files.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

SEED = 20_260_301
WORDS = (150, 300)
LAST_DAY = date(2026, 2, 27)
PER_DAY = 4

THEMES = {
    "trade-facilitation": (
        "Single Window Shortens Release",
        "The Time Release Study measured every step from arrival to the gate, and the waiting time came first.",
        "A single window lets a trader hand in each paper once, whichever agency asks for it.",
        "The National Committee on Trade Facilitation agreed on a plan for the Trade Facilitation Agreement.",
        "Authorized Economic Operator companies may expect faster clearance and fewer stops on the road.",
        "Transit procedures under the TIR system were compared with those of the Revised Kyoto Convention.",
    ),
    "environment": (
        "Officers Follow Plastic Waste",
        "Containers declared as clean scrap held plastic waste that the Basel Convention does not let pass.",
        "Trainers showed how a CITES permit is read, and what rosewood looks like under a lens.",
        "Refrigerants that harm the ozone layer came in under the names of harmless gases.",
        "The green customs network counts wildlife and electronic waste among its first subjects.",
    ),
    "enforcement-security": (
        "Joint Operation Ends with Seizures",
        "The joint operation brought seizures of cocaine, counterfeit medicines and small arms.",
        "Analysts exchanged messages on drug trafficking through a secured network, day and night.",
        "Strategic trade control was practised on machine parts that also serve weapons programmes.",
        "Detector dogs and x-ray images pointed to the same pallet of contraband cigarettes.",
    ),
    "capacity-building": (
        "Regional Training Centre Opens Courses",
        "The regional training workshop was led by accredited experts and repeated for a second group.",
        "A train-the-trainer session prepared colleagues to give the course at home.",
        "The human resources department described job profiles and a plan for recruitment.",
        "Leadership development for middle managers went on online, with coaching between the sessions.",
    ),
    "digital-customs": (
        "Data Model Carries E-Commerce",
        "The WCO Data Model gives each field of a message one name in all systems.",
        "E-commerce parcels arrive with advance electronic data, and machine learning sorts them by risk.",
        "Data analytics found patterns that no officer had time to look for.",
        "The new IT system moves declarations from paper to a shared platform with an open interface.",
    ),
    "supply-chain-ports": (
        "Ports and Airlines Share Arrival Times",
        "Sea containers wait less since the port and the shipping lines share their arrival times.",
        "Air cargo advance screening starts before a consignment is loaded, as the SAFE Framework has it.",
        "The logistics companies asked for one appointment system at all terminals of the port.",
        "Supply chain security was looked at from the factory to the last warehouse.",
    ),
    "emergency-relief": (
        "Relief Goods Clear in Hours",
        "Relief consignments of medicines and tents were cleared before the papers had arrived.",
        "The pandemic had taught the administrations to put COVID-19 vaccines first.",
        "After the earthquake and the flood a disaster plan for customs was written and tried.",
        "Humanitarian organizations have a list of contact points for emergency shipments.",
    ),
    "classification-valuation-origin": (
        "Harmonized System Committee Decides",
        "The Harmonized System Committee settled the classification of mixed goods under one heading.",
        "Rules of origin were explained with certificates from three free trade agreements.",
        "The customs valuation of royalties was practised on cases with transfer pricing.",
        "Advance rulings on tariff classification will be published without the names of the firms.",
    ),
    "governance-performance": (
        "Integrity Survey Guides Reform",
        "An integrity survey asked officers and brokers where corruption begins.",
        "Performance measurement compares offices by the same indicators each month.",
        "The strategic plan names reform and modernization, gender equality and diversity as its aims.",
        "The anti-corruption project supports a code of conduct and internal audit.",
    ),
    "partnerships": (
        "Memorandum Joins Two Organizations",
        "A memorandum of understanding was signed by the two organizations after a year of talks.",
        "The private sector consultative group and the chamber of commerce will meet twice a year.",
        "International organizations and donors agreed to share their calendars.",
        "The partnership with the association of brokers was renewed for five years.",
    ),
}
REGIONS = {
    "region-asia-pacific": ("Asia/Pacific", "Indonesia", "Viet Nam", "Fiji", "Thailand", "Mongolia"),
    "region-europe": ("Europe", "Georgia", "Poland", "Kazakhstan", "Serbia", "Portugal"),
    "region-americas": ("the Americas and the Caribbean", "Peru", "Jamaica", "Uruguay", "Guatemala", "Colombia"),
    "region-esa": ("East and Southern Africa", "Kenya", "Zambia", "Mauritius", "Botswana", "Uganda"),
    "region-wca": ("West and Central Africa", "Ghana", "Senegal", "Gabon", "Togo", "Cameroon"),
    "region-mena": ("North Africa and the Near East", "Jordan", "Morocco", "Oman", "Tunisia", "Bahrain"),
}
REST = (
    "The meeting was opened by the Director General, who thanked the hosts for their patience.",
    "Participants described what had worked at home and what they would not do again.",
    "Questions from the floor took longer than planned, which everybody found useful.",
    "A report with the findings is to follow in the spring, together with the slides.",
    "Two days were spent on group work, and the third on a visit to an office in the field.",
    "The next step is a list of tasks, each with a name and a month beside it.",
    "Small administrations asked for examples that need neither new laws nor a large budget.",
    "The experts will return in half a year to see how far the plan has come.",
    "What was agreed now goes to the heads of the administrations, who decide in June.",
    "Those who could not travel followed by video and sent their remarks in writing.",
    "The team thanked its colleagues for figures that nobody had collected before.",
    "Officers who had done the work for years explained it to those who had just begun.",
)


@dataclass(frozen=True, slots=True)
class Item:
    """One article. `day` is its date; `paragraphs` are plain text."""

    number: int
    title: str
    day: date
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n\n".join(self.paragraphs)


def items(count: int, *, first: int = 1) -> Iterator[Item]:
    """Articles number `first` and following; a number's article is the same whatever the count."""
    for number in range(first, first + count):
        yield _item(number, random.Random(SEED + number))


def _item(number: int, chance: random.Random) -> Item:
    themes = [THEMES[slug] for slug in chance.sample(sorted(THEMES), chance.choice((1, 1, 2)))]
    region, *countries = REGIONS[chance.choice(sorted(REGIONS))]
    where = chance.choice(countries) if chance.random() < 0.7 else ""
    about = [sentence for _, *sentences in themes for sentence in sentences]
    if where:
        about += [f"The administration of {where} speaks of it as a beginning for {region}."]
    title = f"{themes[0][0]} in {where}" if where else themes[0][0]
    wanted, words = chance.randint(*WORDS), 0
    paragraphs: list[list[str]] = [[f"{chance.choice(about)} It is report number {number} of this series."]]
    while words < wanted:
        if len(paragraphs[-1]) >= 4:
            paragraphs.append([])
        paragraphs[-1].append(chance.choice(about if chance.random() < 0.35 else REST))
        words = sum(len(sentence.split()) for paragraph in paragraphs for sentence in paragraph)
    day = LAST_DAY - timedelta(days=number // PER_DAY)
    return Item(number, f"{title}: Report {number}", day, tuple(" ".join(paragraph) for paragraph in paragraphs))


def write_json_lines(path: Path, articles: Iterator[Item]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for item in articles:
            values = {"id": f"report-{item.number}", "title": item.title, "date": str(item.day), "body": item.text}
            file.write(json.dumps(values) + "\n")


def write_plain_text(path: Path, articles: Iterator[Item]) -> None:
    with path.open("w", encoding="utf-8") as file:
        for item in articles:
            file.write(f"{item.title}\n\n{item.title}\n\n{item.text}\n\n")


def write_folder(folder: Path, articles: Iterator[Item]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for item in articles:
        head = f'---\nid: report-{item.number}\ntitle: "{item.title}"\ndate: {item.day}\n---\n'
        (folder / f"report-{item.number:05}.md").write_text(f"{head}{item.text}\n", encoding="utf-8")
