"""What is asked and said in benchmarks of the embedded default."""

QUESTIONS: tuple[tuple[str, str], ...] = (
    ("What is the capital of France?", r"\bparis\b"),
    ("How many days are in a week?", r"\b(7|seven)\b"),
    ("What color is the sky on a clear day?", r"\bblue\b"),
    ("Who wrote Romeo and Juliet?", r"\bshakespeare\b"),
    ("What is two plus three?", r"\b(5|five)\b"),
    ("What is the largest planet in our solar system?", r"\bjupiter\b"),
    ("At what temperature does water boil in Celsius?", r"\b(100|one hundred|hundred)\b"),
    ("What is the opposite of hot?", r"\bcold\b"),
    ("What do bees make?", r"\bhoney\b"),
    ("Which ocean is the largest?", r"\bpacific\b"),
    ("What language do people speak in Brazil?", r"\bportuguese\b"),
    ("How many legs does a spider have?", r"\b(8|eight)\b"),
    ("What is the chemical formula of water?", r"h ?2 ?o|h₂o"),
    ("Which animal is known as the king of the jungle?", r"\blion\b"),
    ("What is the capital of Japan?", r"\btokyo\b"),
    ("What comes after Monday?", r"\btuesday\b"),
    ("What do you call a baby dog?", r"\bpuppy|pup\b"),
    ("Who was the first person to walk on the moon?", r"\barmstrong\b"),
    ("How many months are in a year?", r"\b(12|twelve)\b"),
    ("What should I wear when it rains?", r"\b(raincoat|rain coat|umbrella|jacket|coat|boots|waterproof)\b"),
)
"""Everyday questions, each with what a right answer must hold (a pattern, case ignored)."""

SENTENCES: tuple[str, ...] = (
    "The capital of France is Paris.",
    "Water boils at one hundred degrees Celsius at sea level.",
    "A rainbow appears when sunlight passes through drops of rain.",
    "The quick brown fox jumps over the lazy dog.",
    "You can make a simple pasta with garlic, olive oil and a little salt.",
    "My favorite season is autumn because the leaves turn red and gold.",
    "There are seven days in a week and twelve months in a year.",
    "William Shakespeare wrote Romeo and Juliet in the sixteenth century.",
    "If you cannot sleep, try reading a book or listening to quiet music.",
    "The largest planet in the solar system is Jupiter.",
    "Plants need sunlight, water and air to grow.",
    "Please remember to turn off the lights before you leave the house.",
    "She sells sea shells by the sea shore every Saturday morning.",
    "An apple a day keeps the doctor away, or so they say.",
    "The train to London leaves at half past nine from platform four.",
    "Honey never spoils if it is kept in a closed jar.",
    "He was thinking about the weather and forgot his umbrella.",
    "The doctor said that walking is good for your heart.",
    "I can tell you a joke, answer a question, or help you plan your day.",
    "Photosynthesis is the process by which plants turn light into sugar.",
)
"""What an assistant says, for measuring how well its voice is understood."""
