"""What ships with kiq_django and can be left out: one feature a file, through the same door as yours."""
