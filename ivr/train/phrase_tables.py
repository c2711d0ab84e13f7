"""The words that callers put around numbers, and how they group digits: tables, no logic.

Speech without a number holds no vocabulary word and no homophone of one, for either would be a
wrong label; tests/train/test_phrases.py holds the tables to that.
"""

from __future__ import annotations

# fmt: off
# How callers group digits aloud, by length; lengths without an entry are cut at random.
GROUPINGS: dict[int, tuple[tuple[int, ...], ...]] = {
    4: ((4,), (2, 2), (1, 3)),
    5: ((5,), (2, 3), (3, 2)),
    6: ((3, 3), (2, 2, 2), (6,), (4, 2)),
    7: ((3, 4), (3, 2, 2), (7,)),
    8: ((4, 4), (2, 2, 2, 2), (3, 3, 2), (2, 2, 4)),
    9: ((3, 3, 3), (3, 2, 4), (5, 4)),
    10: ((3, 3, 4), (3, 3, 2, 2), (5, 5), (2, 2, 2, 2, 2), (4, 6)),
    11: ((1, 3, 3, 4), (5, 6), (5, 3, 3), (3, 4, 4), (4, 3, 4)),
    12: ((4, 4, 4), (3, 3, 3, 3), (2, 3, 3, 4)),
    15: ((4, 6, 5), (5, 5, 5), (3, 3, 3, 3, 3)),
    16: ((4, 4, 4, 4), (4, 4, 4, 2, 2)),
    19: ((4, 4, 4, 4, 3), (6, 4, 4, 5)),
}
# Telephone numbers (7, 10, 11), codes (4, 6) and cards (15, 16, 19) weigh more than the rest.
LENGTH_WEIGHTS = {
    2: 6, 3: 8, 4: 12, 5: 8, 6: 9, 7: 10, 8: 6, 9: 6, 10: 14, 11: 5,
    12: 3, 13: 2, 14: 2, 15: 2, 16: 4, 17: 1, 18: 1, 19: 1,
}
# fmt: on


def _entries(table: str) -> tuple[str, ...]:
    """The phrases of a table: one a line or several, "|" between them."""
    return tuple(" ".join(entry.split()) for entry in table.split("|"))


# Speech without a number. No entry holds a vocabulary word ("not", "and", "last", ...) or a
# homophone of one ("to", "for", "won", "know", ..., and "tree" or "dirty" as some accents say three
# and thirty), for that would be a wrong label. Words that merely sound like a number are wanted.
NEAR_NUMBERS = _entries(
    """
    fine | heaven | sun | line | mine | floor | door | hive | sticks | date | late |
    gate | wait | nice | nose | new | few | sea | key | bee | see | me | we | through | though |
    true | blue | who | you | shoe | dive | drive | live | alive | wife | life | fire | hire |
    wire | fix | mix | kicks | picks | ticks | bricks | evan | kevin | devon | haven | leaven
    | bait | great | straight | weight | fate | rate | plate | mate | wine | sign | shine | pine |
    fines | nightly | mind | find | kind | den | then | when | pen | hen | hero | zorro |
    xerox | arrow | narrow | row | go | low | show | snow | grow | elevate | television | delve |
    shelf | thirsty | flirty | shifty | nifty | sporty | shorty | sporting | plenty
    | empty | party | weighty | pity | mighty | tiny | hunted | hungry | thunder | tower | trouble |
    bubble | couple | ripple | cripple | nickel | want | run | done | gun | fun | wonder | wand |
    yesterday | guess | less | bless | nosy | soap | hope | rope | collect | direct | complete |
    defeat | kelp | shelter | handle | castle | shop | drop | chart | smart | garden | lost | fast |
    past | scar | car | round | found | hound | cash | crash | joint | pot | hot | lot | collars |
    scents | fence | man | hand | land | sand | of | sir | her | uh | um | er | hmm | okay | alright
    | well
    """
)
ORDINARY = _entries(
    """
    hold on | hold on please | just hold the line please | wait | wait, wait | let me see | um |
    let me check | let me think | give me some time | where is my card | i am looking at it now |
    hello | hello, is anyone there | hi there | good morning | good evening | goodbye | bye bye |
    thank you | thanks very much | thank you very much | you're welcome | please | sorry | pardon |
    excuse me | what | what was that | say that once more | what did you say | who is this | hmm |
    i don't understand | i can't hear you | can you speak up | speak slowly please | of course |
    i want my balance | account balance | my account | billing | sales | technical support | uh |
    customer service | i need my password | i lost my card | my phone is broken | reset my password
    | pay my bill | make my payment | where is my order | track my parcel | i want some coffee |
    opening hours | which day is it | tomorrow morning | yesterday evening | on monday | friday |
    tuesday afternoon | wednesday | thursday | saturday | sunday | next week | in the summer |
    january | february | april | may | june | july | august | september | october | november |
    december | winter | spring | autumn | new york | london | paris | dublin | edinburgh | glasgow |
    sydney | toronto | chicago | california | texas | florida | india | scotland | john smith |
    mary jones | david brown | susan miller | robert wilson | linda taylor | peter | michael |
    jennifer | elizabeth | william | barbara | richard | jessica | thomas | sarah | priya sharma |
    rajesh kumar | mohammed ali | fatima | wei chen | maria garcia | jose | luca | giovanni |
    francois | stefan mueller | olga | dimitri | yuki tanaka | patrick murphy | siobhan | okay |
    alright | fine | sure | maybe | absolutely | exactly | indeed | perhaps | never | i guess |
    i think that's all | that's all | that is everything | nothing else | never mind |
    turn the music down | someone is at the door | the dog is barking | the children are playing |
    dinner is ready | close the window please | i'm driving right now | i am in the car | be quiet |
    can i call you back | call me back later | my battery is low | the line is very bad | i see |
    are you there | is this working | can you hear me now | i'd like some information please |
    speak with someone | i want someone real | give me an agent | agent please | representative |
    human being please | transfer me please | main menu | go back | previous menu | skip this |
    the weather is nice today | it is raining outside | how are you | i'm very well | see you soon |
    what is your name | my name is anna | this is kevin speaking | i live in boston | my address |
    the blue house on the corner | main street | park avenue | church road | station road | my email
    | he will call later | she went home | they are here | we need more sugar | some milk please |
    large coffee with cream | green tea please | chicken soup | apple pie | fish with chips | alpha
    | bravo | charlie | delta | echo | foxtrot | golf | hotel | juliet | kilo | lima | mike | oscar
    | papa | quebec | romeo | sierra | tango | uniform | victor | whiskey | zulu | bed | bird | cat
    | dog | down | left | right | up | off | on | house | happy | wow | marvin | sheila | learn |
    follow | visual | forward | backward | bedroom | go | family | mother | father | brother |
    sister | doctor | office | market | paper | table | window | this call may be recorded |
    your call is important
    | stay on the line | all lines are busy | le telephone | un moment | guten tag | buenos dias |
    grazie | merci beaucoup | namaste | ciao
    """
)
CARRIERS = _entries(
    """
    my number is | it's | it is | the number is | the code is | that would be | um | uh | er | okay
    | okay so | so it's | well | let me see | hold on | sure | sure it's | right | alright |
    my account number is | my card number is | my pin is | my phone number is | you can reach me on
    | the reference is | my zip code is | my date of birth is | i think it's | i believe it's | yep
    | that's | this is | here it is | i said | i mean | sorry | sorry i meant | please use | try |
    can you take | put down | the total is | i would like | make it | room | extension | flat |
    apartment | order | order number | flight | gate | platform | page | line | box | code |
    it ends in | it begins with | the digits are | password | hello | hi it's | yep it's | area code
    """
)
TAILS = _entries(
    """
    please | thank you | thanks | i think | that's it | that's all | okay | sir | is that right |
    got it | bye | if i'm right | did you get that | there you go | um | or so | in total
    """
)
COMMAND_PHRASES = _entries(
    """
    yes {please} | no {thanks} | no, no | yes, correct | not correct | no, start again | yeah, yes |
    no, not {that} | cancel {that} | repeat {that please} | stop, stop | {please} repeat |
    {please} help | help {me} | {the} operator {please} | yes, yes, yes | nope, start again |
    {that is} correct | {that is} not correct | no, cancel | yes again
    """
)
MONTHS = _entries("january|february|april|may|june|july|august|september|october|november|december")
LETTERS = tuple("bcdefghijklmnpqrstuvwxyz")  # "a" and "o" are words of the vocabulary when spoken
