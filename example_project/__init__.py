"""The example: a photo and order desk whose slow work runs in the background."""
